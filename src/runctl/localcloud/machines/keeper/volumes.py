"""The volumes of an instance: files that are block devices in it."""

from __future__ import annotations

import errno
import os
import signal

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import kernel, loops
from runctl.localcloud.machines.keeper.devices import Device, FileDevice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Message, Plan, Volume

_SPREAD = 3
"""How many numbers more than it needs the next nvme device may have."""


class _Attached:
    def __init__(self, descriptor: int | None, device: Device) -> None:
        self.descriptor = descriptor
        """Of the loop device: the kernel frees it once neither we nor the instance have it.
        None for a file."""
        self.device = device


class Volumes:
    """Keeps the loop devices open as long as they are attached."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._attached: dict[str, _Attached] = {}

    @property
    def devices(self) -> list[Device]:
        """What is to be seen in the instance."""
        return [one.device for one in self._attached.values()]

    def prepare(self) -> None:
        """Attach what is there from the start."""
        has_devices = self._plan["disk_image"] is not None
        for number, size_bytes in enumerate(self._plan["instance_store"] if has_devices else ()):
            path = self._folder.at(f"instance-store-{number}.img")
            with open(path, "wb") as file:
                file.truncate(size_bytes)
            self._add_store(f"{self._plan['instance_id'].replace('-', '')}{number}", path)
        for volume in self._plan["volumes"]:
            self.add(volume)

    def add(self, volume: Volume) -> Device:
        """Attach a volume; one that is attached stays as it is."""
        known = self._attached.get(volume["volume_id"])
        if known is not None:
            return known.device
        hint = volume["device"] if self._plan["has_device_links"] else None
        made = self._attach_file if self._plan["disk_image"] is None else self._attach_loop
        attached = self._attached[volume["volume_id"]] = made(volume, hint)
        return attached.device

    def find(self, volume_id: str) -> Device | None:
        """Return the device of a volume."""
        found = self._attached.get(volume_id)
        return None if found is None else found.device

    def remove(self, volume_id: str) -> None:
        """Let go of a volume that the instance does not see any more."""
        attached = self._attached.pop(volume_id)
        if attached.descriptor is not None:
            os.close(attached.descriptor)
        elif os.path.lexists(self._folder.at(places.VOLUMES, volume_id)):
            os.unlink(self._folder.at(places.VOLUMES, volume_id))

    def close(self) -> None:
        """Let go of all."""
        for volume_id in list(self._attached):
            self.remove(volume_id)

    def renumber(self) -> None:
        """Give all new numbers, as a reboot may."""
        for one in self._attached.values():
            one.device.index = -1
        for one in self._attached.values():
            one.device.index = self._index()

    def _attach_loop(self, volume: Volume, hint: str | None) -> _Attached:
        descriptor = loops.attach(volume["path"], is_fleeting=True)
        number = loops.number_of(descriptor)
        device = Device.of_volume(number, self._index(), volume["volume_id"], hint)
        return _Attached(descriptor, device)

    def _attach_file(self, volume: Volume, hint: str | None) -> _Attached:
        """Link the file into what the instance sees: both must be of one file system."""
        path = self._folder.at(places.VOLUMES, volume["volume_id"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(path):
            os.link(volume["path"], path)
        return _Attached(None, FileDevice(path, self._index(), volume["volume_id"], hint))

    def _add_store(self, serial: str, path: str) -> None:
        descriptor = loops.attach(path, is_fleeting=True)
        number = loops.number_of(descriptor)
        self._attached[serial] = _Attached(
            descriptor, Device.of_store(number, self._index(), serial.upper())
        )

    def _index(self) -> int:
        used = {one.device.index for one in self._attached.values()}
        highest = len(self._attached) + 1 + _SPREAD
        free = [one for one in range(1, highest + 1) if one not in used]
        return free[os.urandom(1)[0] % len(free)]


def withdraw(device: Device, *, is_forced: bool) -> Message:
    """Take a device from the instance; to be called inside. Busy is a fault, unless forced."""
    mounts, holders = device.mounts(), device.holders()
    if (mounts or holders) and not is_forced:
        raise OSError(errno.EBUSY, f"{device.node} is in use: {mounts or holders}")
    for path in mounts:
        kernel.unmount(path)
    device.hide("")
    return {"holders": holders}


def evict(device: Device, in_namespace: list[int]) -> None:
    """Kill those of the instance's processes that still have a device; to be called outside."""
    for pid in set(device.holders()) & set(in_namespace):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has let go by itself
