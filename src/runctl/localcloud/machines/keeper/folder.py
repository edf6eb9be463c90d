"""The folder of an instance: whose names are written here only, and what lies in it."""

from __future__ import annotations

import fcntl
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message, Plan

PLAN = "spec.json"
CONTROL = "control.sock"
ENDED = "ended.json"
PID = "keeper.pid"
LOCK = "keeper.lock"
LOG = "keeper.log"
CONSOLE = "console.log"
COMMANDS = "commands"
HOST_KEYS = "host-keys"
DISK = "disk"
VOLUMES = "volumes"
DISK_IMAGE = "disk.img"
BOOT_ID = "boot-id"


class Folder:
    """One instance's folder."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)

    def at(self, *names: str) -> str:
        """Return the path of something in it."""
        return os.path.join(self.path, *names)

    def plan(self) -> Plan:
        """Return what the instance is to be."""
        with open(self.at(PLAN), encoding="utf-8") as file:
            plan: Plan = json.load(file)
        return plan

    def write(self, record: Message, *names: str) -> None:
        """Write a record, whole or not at all."""
        path = self.at(*names)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(f"{path}.new", path)

    def read(self, *names: str) -> Message | None:
        """Return a record; None where there is none."""
        try:
            with open(self.at(*names), encoding="utf-8") as file:
                record: Message = json.load(file)
        except FileNotFoundError:
            return None
        return record

    def lock(self) -> int | None:
        """Become this instance's only keeper; None where there is one."""
        descriptor = os.open(self.at(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine did; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
