"""The root of an instance, made from inside its mount namespace by its first process."""

from __future__ import annotations

import os
import stat

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import kernel, loops, skeleton
from runctl.localcloud.machines.keeper.devices import BLOCKS, FILES, NUMBERS, make_node, show_in_sys
from runctl.localcloud.machines.keeper.furnishing import Furnishing
from runctl.localcloud.machines.keeper.layering import Layers
from runctl.localcloud.machines.keeper.manner import CONSOLE, POWER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.devices import Device
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Plan

_DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
_DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "console": f"/{CONSOLE}",
}
_ROOT_DISK = "/dev/nvme0n1p1"
_MASKED = ("sysrq-trigger", "kcore", "kmsg")


class Building:
    """Puts the root together, and goes in."""

    def __init__(
        self,
        folder: Folder,
        plan: Plan,
        devices: list[Device],
        *,
        has_users: bool,
        is_owner: bool,
    ) -> None:
        self._plan = plan
        self._devices = devices
        self._has_users = has_users
        self._is_owner = is_owner
        """In a user namespace of our own, not the host's."""
        self._disk = folder.at(places.DISK)
        self._root = f"{self._disk}/root"
        self._folder = folder
        self._root_number: int | None = None
        """Of the loop device that is the disk."""
        self.step = "network"
        """What is being done, for the message when it fails."""

    def build(self) -> None:
        """Build, and enter; raise ``OSError``, with ``step`` to say in what."""
        kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        for step in (
            self._open_disk,
            self._furnish,
            self._show_trees,
            self._mount_kernel,
            self._mount_devices,
            self._show_disks,
            self._mount_run,
            self._bind,
            self._go_in,
        ):
            self.step = step.__name__.strip("_").replace("_", " ")
            step()

    def _open_disk(self) -> None:
        os.makedirs(self._disk, exist_ok=True)
        if self._plan["disk_image"] is not None:
            image = self._folder.at(places.DISK_IMAGE)
            device = loops.attach(image, is_fleeting=True)
            self._root_number = loops.number_of(device)
            self._mount_disk(self._root_number)
            os.close(device)
        os.makedirs(self._root, exist_ok=True)
        kernel.bind(self._root, self._root)

    def _mount_disk(self, number: int) -> None:
        """Mount it under the name that an instance has for it, and not as a loop device."""
        kernel.mount("tmpfs", "/dev", "tmpfs")
        try:
            make_node(_ROOT_DISK, number)
            kernel.mount(_ROOT_DISK, self._disk, "ext4", kernel.MS_NOATIME)
        finally:
            kernel.unmount("/dev")

    def _furnish(self) -> None:
        login = self._plan["login"]
        skeleton.lay(self._root, login, has_users=self._has_users)
        skeleton.empty(os.path.join(self._root, "tmp"))
        done = f"{self._disk}/furnished"
        if not os.path.exists(done):
            furnishing = Furnishing(self._plan, self._root, self._layer, has_users=self._has_users)
            furnishing.furnish(self._folder.at(places.HOST_KEYS))
            os.close(os.open(done, os.O_CREAT | os.O_WRONLY, 0o644))

    def _layer(self, path: str) -> str:
        """Return where something lies that the instance has at this path."""
        for tree in self._trees():
            if path.startswith(f"{tree}/"):
                return f"{self._disk}/layers{tree}/upper{path[len(tree) :]}"
        return self._root + path

    def _trees(self) -> list[str]:
        return skeleton.trees(has_opt=self._plan["has_python"])

    def _show_trees(self) -> None:
        os.chdir(self._disk)
        layers = Layers(self._disk, self._root, is_owner=self._is_owner)
        for tree in self._trees():
            layers.show(tree)

    def _mount_kernel(self) -> None:
        proc, sys = f"{self._root}/proc", f"{self._root}/sys"
        quiet = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        _mount_or_bind("proc", proc, quiet)
        for name in filter(lambda one: os.path.exists(f"{proc}/{one}"), _MASKED):
            kernel.bind("/dev/null", f"{proc}/{name}")
        kernel.bind(f"{proc}/sys", f"{proc}/sys")
        kernel.bind(f"{proc}/sys/net", f"{proc}/sys/net")
        self._give_boot_id(f"{proc}/sys/kernel/random")
        kernel.make_read_only(f"{proc}/sys")
        _mount_or_bind("sysfs", sys, quiet | kernel.MS_RDONLY)
        if os.path.isdir(f"{sys}/fs/cgroup"):
            _try_mount("cgroup2", f"{sys}/fs/cgroup", quiet)

    def _give_boot_id(self, random: str) -> None:
        """Let each boot have an id of its own, by which programs tell it from the one before."""
        own = self._folder.at(places.BOOT_ID)
        with open(f"{random}/uuid", encoding="ascii") as source, open(own, "w") as file:
            file.write(source.read())
        kernel.bind(own, f"{random}/boot_id", is_read_only=True)

    def _mount_devices(self) -> None:
        dev = f"{self._root}/dev"
        kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "mode=755,size=4m")
        numbers = {name: os.makedev(1, minor) for name, minor in _DEVICES.items()}
        others = {"tty": os.makedev(5, 0), "fuse": os.makedev(10, 229)}
        for name, number in {**numbers, **others}.items():
            if os.path.exists(f"/dev/{name}"):
                self._make_device(f"{dev}/{name}", name, number)
        for name, target in _DEVICE_LINKS.items():
            os.symlink(target, f"{dev}/{name}")
        for name, mode in {"pts": 0o755, "shm": 0o1777, "disk/by-id": 0o755}.items():
            os.makedirs(f"{dev}/{name}", mode)
        terminals = "newinstance,ptmxmode=0666,mode=620" + (",gid=5" if self._has_users else "")
        kernel.mount(
            "devpts", f"{dev}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, terminals
        )
        kernel.mount(
            "tmpfs", f"{dev}/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777"
        )

    def _make_device(self, path: str, name: str, number: int) -> None:
        if self._is_owner:
            os.close(os.open(path, os.O_CREAT, 0o666))
            kernel.bind(f"/dev/{name}", path)
        else:
            os.mknod(path, stat.S_IFCHR | 0o666, number)
            os.chmod(path, 0o666)  # noqa: S103 - as every /dev/null is

    def _show_disks(self) -> None:
        if self._root_number is None:
            return
        for place in (BLOCKS, NUMBERS):
            kernel.mount("tmpfs", f"{self._root}/{place}", "tmpfs", 0, "mode=755,size=1m")
        for name in (_ROOT_DISK, _ROOT_DISK.removesuffix("p1")):
            make_node(self._root + name, self._root_number)
        show_in_sys(self._root, "nvme0n1", self._root_number)
        for device in self._devices:
            device.show(self._root)

    def _mount_run(self) -> None:
        run = f"{self._root}/run"
        kernel.mount("tmpfs", run, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
        for name, mode in {"sshd": 0o755, "lock": 0o1777, "localcloud": 0o700}.items():
            os.makedirs(f"{run}/{name}")
            os.chmod(f"{run}/{name}", mode)
        for name in (POWER, CONSOLE):
            os.mkfifo(f"{self._root}/{name}", 0o600)

    def _bind(self) -> None:
        if self._root_number is None and self._plan["has_volumes"]:
            source, target = self._folder.at(places.VOLUMES), f"{self._root}/{FILES}"
            os.makedirs(source, exist_ok=True)
            os.makedirs(target, exist_ok=True)
            kernel.bind(source, target)
            for device in self._devices:
                device.show(self._root)
        for bind in self._plan["binds"]:
            target = self._root + bind["target"]
            if os.path.isdir(bind["source"]):
                os.makedirs(target, exist_ok=True)
            elif not os.path.lexists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.close(os.open(target, os.O_CREAT, 0o644))
            kernel.bind(bind["source"], target, is_read_only=bind["is_read_only"], is_deep=True)

    def _go_in(self) -> None:
        kernel.pivot_root(self._root)
        kernel.set_hostname(self._plan["hostname"])


def _mount_or_bind(kind: str, target: str, flags: int) -> None:
    """Mount it anew, or show the host's where that would reveal more than may be seen."""
    try:
        kernel.mount(kind, target, kind, flags)
    except PermissionError:
        kernel.bind("/proc" if kind == "proc" else "/sys", target, is_deep=True)


def _try_mount(kind: str, target: str, flags: int) -> None:
    try:
        kernel.mount(kind, target, kind, flags)
    except OSError:
        pass  # the host has no cgroups of the second kind
