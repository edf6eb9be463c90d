"""Disks as an instance on Nitro has them: nvme nodes, links, and what /sys says of them.

To be used in the instance's mount namespace; ``root`` is what comes before its paths there.
"""

from __future__ import annotations

import os
import stat

from runctl.localcloud.machines.keeper import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.plan import Message

FILES = "run/localcloud/volumes"
"""Where the files are that stand for block devices."""
_LOOP_MAJOR = 7
_VOLUME = "nvme-Amazon_Elastic_Block_Store_"
_STORE = "nvme-Amazon_EC2_NVMe_Instance_Storage_AWS"
BLOCKS, NUMBERS = "sys/block", "sys/dev/block"
"""Not ``sys/class/block`` too: there lsblk would find a device that udev knows nothing of, where
it asks blkid for one that it does not find."""


class Device:
    """A loop device that the instance knows by another name."""

    def __init__(self, number: int, index: int, name: str, hint: str | None = None) -> None:
        self.number = number
        self.index = index
        """Of ``/dev/nvme<index>n1``."""
        self._name = name
        self._hint = hint

    @classmethod
    def of_volume(cls, number: int, index: int, volume_id: str, hint: str | None) -> Device:
        """Return that of a volume; the hint is the name that its user asked for."""
        return cls(number, index, _VOLUME + volume_id.replace("-", ""), hint)

    @classmethod
    def of_store(cls, number: int, index: int, serial: str) -> Device:
        """Return that of a disk which the type has, and which is empty at each start."""
        return cls(number, index, _STORE + serial)

    @property
    def node(self) -> str:
        """Its path in the instance."""
        return f"/dev/nvme{self.index}n1"

    @property
    def links(self) -> list[str]:
        """The links to it in /dev."""
        names = [f"disk/by-id/{self._name}", f"disk/by-id/{self._name}-ns-1"]
        if self._hint is not None:
            plain = self._hint.removeprefix("/dev/")
            names += [plain, plain.replace("xvd", "sd", 1), plain.replace("sd", "xvd", 1)]
        return list(dict.fromkeys(names))

    def show(self, root: str) -> Message:
        """Let it be there."""
        self._make(root)
        for link in self.links:
            path = f"{root}/dev/{link}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if not os.path.lexists(path):
                up = "../" * link.count("/")
                os.symlink(f"{up}{os.path.basename(self.node)}", path)
        return {}

    def mounts(self) -> list[str]:
        """Return where the instance has mounted it, the latest first; to be called inside."""
        return mounts_of(lambda fields: fields[2] == f"{_LOOP_MAJOR}:{self.number}")

    def holders(self) -> list[int]:
        """Return the processes that have it, or a file on it, open."""
        device = os.makedev(_LOOP_MAJOR, self.number)
        return holders_of(lambda found: device in (found.st_dev, found.st_rdev))

    def hide(self, root: str) -> None:
        """Let it be gone."""
        self._unmake(root)
        for link in self.links:
            if os.path.lexists(f"{root}/dev/{link}"):
                os.unlink(f"{root}/dev/{link}")

    def _make(self, root: str) -> None:
        make_node(root + self.node, self.number)
        show_in_sys(root, os.path.basename(self.node), self.number)

    def _unmake(self, root: str) -> None:
        in_sys = [
            f"{BLOCKS}/{os.path.basename(self.node)}",
            f"{NUMBERS}/{_LOOP_MAJOR}:{self.number}",
        ]
        for path in [f"{root}/{name}" for name in [self.node[1:], *in_sys]]:
            if os.path.lexists(path):
                os.unlink(path)


class FileDevice(Device):
    """A file that the instance has in place of a block device; fuse2fs mounts what is in it."""

    def __init__(self, path: str, index: int, volume_id: str, hint: str | None) -> None:
        super().__init__(-1, index, _VOLUME + volume_id.replace("-", ""), hint)
        self._file = f"/{FILES}/{volume_id}"
        found = os.stat(path)
        self._identity = (found.st_dev, found.st_ino)

    def mounts(self) -> list[str]:
        """Return where the instance has mounted it, the latest first; to be called inside."""
        return mounts_of(
            lambda fields: "-" in fields and fields[fields.index("-") + 2] == self.node
        )

    def holders(self) -> list[int]:
        """Return the processes that have it open."""
        return holders_of(lambda found: (found.st_dev, found.st_ino) == self._identity)

    def _make(self, root: str) -> None:
        if not os.path.lexists(root + self.node):
            os.close(os.open(root + self.node, os.O_CREAT | os.O_WRONLY, 0o660))
            kernel.bind(root + self._file, root + self.node)

    def _unmake(self, root: str) -> None:
        if os.path.lexists(root + self.node):
            kernel.unmount(root + self.node)
            os.unlink(root + self.node)


def make_node(path: str, number: int) -> None:
    """Make the node of a loop device."""
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(_LOOP_MAJOR, number))


def show_in_sys(root: str, name: str, number: int) -> None:
    """Let tools such as lsblk find a loop device under another name."""
    own, by_number = f"{root}/{BLOCKS}/{name}", f"{root}/{NUMBERS}/{_LOOP_MAJOR}:{number}"
    if not os.path.lexists(own):
        os.symlink(f"/sys/devices/virtual/block/loop{number}", own)
    if not os.path.lexists(by_number):
        os.symlink(f"../../block/{name}", by_number)


def mounts_of(is_of: Callable[[list[str]], bool]) -> list[str]:
    """Return the places of the mounts whose fields of mountinfo are those, the latest first."""
    with open("/proc/1/mountinfo", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [unescaped(fields[4]) for fields in reversed(lines) if is_of(fields)]


def unescaped(path: str) -> str:
    """Return a path as it is; the kernel writes blanks and the like in octal."""
    first, *others = path.split("\\")
    return first + "".join(chr(int(one[:3], 8)) + one[3:] for one in others)


def holders_of(is_it: Callable[[os.stat_result], bool]) -> list[int]:
    """Return the processes that have something open."""
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return [int(pid) for pid in pids if _holds(f"/proc/{pid}", is_it)]


def _holds(process: str, is_it: Callable[[os.stat_result], bool]) -> bool:
    try:
        places = [f"{process}/cwd", f"{process}/root", f"{process}/exe"]
        places += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    except OSError:
        return False
    for place in places:
        try:
            if is_it(os.stat(place)):
                return True
        except OSError:
            continue
    return False
