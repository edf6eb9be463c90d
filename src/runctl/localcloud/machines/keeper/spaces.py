"""The namespaces of an instance that outlive a reboot: its users and its network."""

from __future__ import annotations

import os
import pwd
import signal

from runctl.localcloud.machines.keeper import kernel

ALL, SUBORDINATE, SINGLE = "all", "subordinate", "single"
"""Which users a user namespace has: the host's, a range lent by newuidmap, or one."""


class Spaces:
    """Descriptors of namespaces, by kind; none for what is shared with the host."""

    def __init__(self) -> None:
        self.descriptors: dict[str, int] = {}

    def make(self, *, users: str | None, has_network: bool) -> None:
        """Make them; raise ``OSError`` where the host does not let us."""
        asks, answers = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _hold(asks[1], answers[0], has_users=users is not None, has_network=has_network)
        try:
            os.close(asks[1])
            _hear(asks[0])
            if users is not None:
                map_users(pid, users)
                self._keep(pid, "user")
            os.write(answers[1], b"1")
            _hear(asks[0])
            if has_network:
                self._keep(pid, "net")
        finally:
            for descriptor in (asks[0], *answers):
                os.close(descriptor)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def enter(self) -> None:
        """Go in, with the calling process."""
        for name, descriptor in self.descriptors.items():
            kernel.enter(descriptor, name)

    def _keep(self, pid: int, name: str) -> None:
        self.descriptors[name] = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _hold(asks: int, answers: int, *, has_users: bool, has_network: bool) -> None:
    """Be in the new namespaces until killed; never returns."""
    try:
        if has_users:
            kernel.unshare("user")
        os.write(asks, b"ok\n")
        os.read(answers, 1)
        if has_network:
            kernel.unshare("net")
        os.write(asks, b"ok\n")
        signal.pause()
    except OSError as fault:
        os.write(asks, f"{fault.errno} {fault.strerror}\n".encode())
    finally:
        os._exit(1)


def _hear(descriptor: int) -> None:
    said = os.read(descriptor, 4096).decode().strip()
    if said != "ok":
        number, _, words = said.partition(" ")
        raise OSError(int(number or 0), words or "the holder of the namespaces ended")


def map_users(pid: int, users: str) -> None:
    """Say which users a new user namespace has."""
    if users == SUBORDINATE:
        _map_subordinate(pid, "u", os.geteuid(), "/etc/subuid")
        _map_subordinate(pid, "g", os.getegid(), "/etc/subgid")
        return
    if users == SINGLE:
        _write(f"/proc/{pid}/setgroups", "deny")
        lines = f"0 {os.getegid()} 1", f"0 {os.geteuid()} 1"
    else:
        lines = _everybody("/proc/self/gid_map"), _everybody("/proc/self/uid_map")
    _write(f"/proc/{pid}/gid_map", lines[0])
    _write(f"/proc/{pid}/uid_map", lines[1])


def _everybody(path: str) -> str:
    with open(path, encoding="ascii") as file:
        inside, _, count = file.readline().split()
    return f"{inside} {inside} {count}"


def _map_subordinate(pid: int, letter: str, own: int, table: str) -> None:
    first, count = subordinate_range(table, letter)
    argv = [f"new{letter}idmap", str(pid), "0", str(own), "1", "1", str(first), str(count)]
    tool = os.posix_spawnp(argv[0], argv, os.environ)
    if os.waitpid(tool, 0)[1] != 0:
        raise OSError(1, f"new{letter}idmap refused")


def subordinate_range(table: str, letter: str = "u") -> tuple[int, int]:
    """Return first and count of the ids lent to this user; raise ``OSError`` where none are."""
    uid = os.geteuid()
    try:
        names = {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        names = {str(uid)}
    with open(table, encoding="ascii") as file:
        for line in file:
            name, first, count = line.strip().split(":")
            if name in names and int(count) >= 65535:
                return int(first), min(int(count), 65535)
    raise OSError(2, f"no new{letter}idmap range for this user in {table}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
