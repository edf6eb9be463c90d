"""Disks as an instance on Nitro has them: nvme nodes, links, and what /sys says of them.

To be used in the instance's mount namespace; ``root`` is what comes before its paths there.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message

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
        make_node(root + self.node, self.number)
        for link in self.links:
            path = f"{root}/dev/{link}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if not os.path.lexists(path):
                up = "../" * link.count("/")
                os.symlink(f"{up}{os.path.basename(self.node)}", path)
        show_in_sys(root, os.path.basename(self.node), self.number)
        return {}

    def hide(self, root: str) -> None:
        """Let it be gone."""
        in_sys = [
            f"{BLOCKS}/{os.path.basename(self.node)}",
            f"{NUMBERS}/{_LOOP_MAJOR}:{self.number}",
        ]
        in_dev = [f"dev/{link}" for link in self.links]
        for path in [f"{root}/{name}" for name in [self.node[1:], *in_dev, *in_sys]]:
            if os.path.lexists(path):
                os.unlink(path)


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


def mounts_of(number: int) -> list[str]:
    """Return where the instance has mounted a loop device, the latest first."""
    own = f"{_LOOP_MAJOR}:{number}"
    with open("/proc/1/mountinfo", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    found = [fields[4] for fields in lines if fields[2] == own]
    return [unescaped(path) for path in reversed(found)]


def unescaped(path: str) -> str:
    """Return a path as it is; the kernel writes blanks and the like in octal."""
    first, *others = path.split("\\")
    return first + "".join(chr(int(one[:3], 8)) + one[3:] for one in others)


def holders_of(number: int) -> list[int]:
    """Return the processes that have a loop device, or a file on it, open."""
    device = os.makedev(_LOOP_MAJOR, number)
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return [int(pid) for pid in pids if _holds(f"/proc/{pid}", device)]


def _holds(process: str, device: int) -> bool:
    try:
        places = [f"{process}/cwd", f"{process}/root", f"{process}/exe"]
        places += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    except OSError:
        return False
    for place in places:
        try:
            found = os.stat(place)
        except OSError:
            continue
        if device in (found.st_dev, found.st_rdev):
            return True
    return False
