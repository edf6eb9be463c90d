"""Start one command: as a session of its own, as a user, with its streams."""

from __future__ import annotations

import json
import os
import signal

from runctl.localcloud.machines.keeper import accounts, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message

_LARGEST_REQUEST = 1 << 24


def start(descriptors: list[int], *, has_users: bool) -> int:
    """Start what the request says; the descriptors are the request and the three streams.

    Return the process. What cannot be started ends with 126 or 127, and says why on its standard
    error, as a shell does.
    """
    pid = os.fork()
    if pid == 0:
        _become(descriptors, has_users=has_users)
    return pid


def _become(descriptors: list[int], *, has_users: bool) -> None:
    """Turn into the command; never returns."""
    try:
        request: Message = json.loads(os.pread(descriptors[0], _LARGEST_REQUEST, 0))
        for number, descriptor in enumerate(descriptors[1:4]):
            os.dup2(descriptor, number)
        _forget_the_runner()
        environment = _become_user(request["user"], has_users=has_users)
        _enter(request["cwd"] or environment["HOME"])
        environment |= request["environment"]
        os.execvpe(request["argv"][0], request["argv"], environment)
    except (OSError, KeyError, ValueError) as fault:
        os.write(2, f"cannot run the command: {fault}\n".encode())
        os._exit(127 if isinstance(fault, FileNotFoundError) else 126)


def _forget_the_runner() -> None:
    os.setsid()
    os.umask(0o022)
    os.closerange(3, 1 << 16)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _become_user(name: str, *, has_users: bool) -> dict[str, str]:
    """Drop to the user, and return the environment that it has."""
    with open("/etc/passwd", encoding="utf-8") as file:
        uid, gid, home, shell = accounts.find(file.read(), name)
    if uid and has_users:
        with open("/etc/group", encoding="utf-8") as file:
            os.setgroups(accounts.groups_of(file.read(), name, gid))
        os.setgid(gid)
        os.setuid(uid)
    elif uid:
        _map_alone(uid, gid)
    return {"HOME": home, "USER": name, "LOGNAME": name, "SHELL": shell, "PATH": accounts.PATH}


def _map_alone(uid: int, gid: int) -> None:
    """Be another user where the instance has a single one: in a user namespace of its own."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    kernel.unshare("user")
    for name, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{gid} {outer_gid} 1"),
        ("uid_map", f"{uid} {outer_uid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")
