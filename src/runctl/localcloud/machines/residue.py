"""What machines leave on the host: found by looking at the host, not at what was written down."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.keeper import cgroups, kernel, loops
from runctl.localcloud.machines.keeper.devices import unescaped
from runctl.localcloud.machines.keeper.folder import start_time
from runctl.localcloud.machines.keeper.manner import MARK
from runctl.localcloud.machines.spec import CloudPlace

_PATIENCE_S = 15.0


def remove(cloud: CloudPlace, instance_id: str | None) -> None:
    """Kill, unmount and free what an instance has, or the whole cloud; raise ``MachineError``."""
    folder = cloud.machines if instance_id is None else cloud.machine(instance_id)
    thaw(cloud.id, instance_id)
    until_none(lambda: kill(folder, cloud.id, instance_id), "processes")
    until_none(lambda: unmount(folder), "mounts")
    until_none(lambda: free_loops(folder), "loop devices")
    until_none(lambda: remove_cgroups(cloud.id, instance_id), "cgroups")


def until_none(step: Callable[[], list[str]], what: str) -> None:
    """Repeat a step until it finds nothing more."""
    deadline = time.monotonic() + _PATIENCE_S
    pause_s = 0.002
    while left := step():
        if time.monotonic() > deadline:
            raise MachineError("destroy", f"{what} that do not go: {', '.join(left)}")
        time.sleep(pause_s)
        pause_s = min(0.1, pause_s * 1.5)


def thaw(cloud_id: str, instance_id: str | None) -> None:
    """Let frozen processes go on, so that they can be killed."""
    for folder in cgroup_folders(cloud_id, instance_id):
        for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            for place, _, files in os.walk(folder):
                if name in files:
                    with suppress(OSError), open(os.path.join(place, name), "w") as file:
                        file.write(text)


def kill(folder: str, cloud_id: str, instance_id: str | None) -> list[str]:
    """Send SIGKILL to all processes; return those found."""
    found = processes(folder, cloud_id, instance_id)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [str(pid) for pid in found]


def processes(folder: str, cloud_id: str, instance_id: str | None) -> list[int]:
    """Return keepers and first processes, which bear the folder's name, and all in the cgroups.

    What is in an instance's pid namespace goes with its first process.
    """
    raw = os.fsencode(folder)
    found = {pid for pid in _pids() if _is_ours(pid, raw)}
    for group in cgroup_folders(cloud_id, instance_id):
        for place, _, _ in os.walk(group):
            with suppress(OSError), open(f"{place}/cgroup.procs", encoding="ascii") as file:
                found |= {int(line) for line in file}
    return sorted(pid for pid in found if pid and start_time(pid) is not None)


def unmount(folder: str) -> list[str]:
    """Unmount all that is in a folder; return what was found."""
    found = [place for place in _mounts() if place == folder or place.startswith(f"{folder}/")]
    for place in sorted(found, reverse=True):
        with suppress(OSError):
            kernel.unmount(place)
    return found


def free_loops(folder: str) -> list[str]:
    """Free the loop devices whose file is in a folder; return what was found."""
    found = loops.find(folder)
    for number in found:
        with suppress(OSError):
            loops.detach(number)
    return [f"/dev/loop{number}" for number in found]


def remove_cgroups(cloud_id: str, instance_id: str | None) -> list[str]:
    """Remove the cgroups; return those found."""
    found = cgroup_folders(cloud_id, instance_id)
    for folder in found:
        cgroups.remove_tree(folder)
    return found


def cgroup_folders(cloud_id: str, instance_id: str | None) -> list[str]:
    """Return the cgroups that are there."""
    name = f"rcl{cloud_id}" if instance_id is None else f"rcl{cloud_id}/{instance_id}"
    folders = [os.path.join(root, name) for root in cgroups.hierarchies().values()]
    return [folder for folder in folders if os.path.isdir(folder)]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _is_ours(pid: int, folder: bytes) -> bool:
    """Whether a process is a keeper, or bears the mark of an instance of plain processes."""
    arguments, environment = _words(pid, "cmdline"), _words(pid, "environ")
    is_keeper = any(argument.endswith(b"machines/keeper") for argument in arguments)
    named = arguments if is_keeper else []
    mark = MARK.encode() + b"="
    named += [one.removeprefix(mark) for one in environment if one.startswith(mark)]
    return any(one == folder or one.startswith(folder + b"/") for one in named)


def _words(pid: int, name: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _mounts() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return [unescaped(line.split()[4]) for line in file]
