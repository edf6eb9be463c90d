"""sshd: one for each connection, so that none waits in an instance that nobody looks into."""

from __future__ import annotations

import os
import socket
from signal import SIGCONT, SIGSTOP

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import tools
from runctl.localcloud.machines.keeper.furnishing import SSHD_CONFIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.keeper.reactor import Reactor
    from runctl.localcloud.machines.plan import Message, Plan

_PLACES = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd")
PREFIX = "ssh "
"""Of the names that connections have beside those of commands."""
_KEY = "ssh_host_ed25519_key"


def make_host_key(folder: Folder, plan: Plan, prepare: Callable[[], None]) -> str | None:
    """Make the instance's key, once; return its public part, None where there is no ssh.

    ``prepare`` is for the process that makes it: ssh-keygen wants to be somebody.
    """
    path = folder.at(places.HOST_KEYS, _KEY)
    if program() is None or not plan["ssh_port"]:
        return None
    if not os.path.exists(path):
        os.makedirs(folder.at(places.HOST_KEYS), mode=0o700, exist_ok=True)
        comment = f"root@{plan['hostname']}"
        tools.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], prepare
        )
    with open(f"{path}.pub", encoding="utf-8") as file:
        return file.read().strip()


def program() -> str | None:
    """Return where sshd is; None where it is not installed."""
    return next(filter(os.path.exists, _PLACES), None)


class Sshd:
    """Accepts connections, and hands each to a process of its own inside."""

    def __init__(
        self, folder: Folder, reactor: Reactor, listener: socket.socket, user: str, root: str
    ) -> None:
        self._reactor = reactor
        self._listener = listener
        self._count = 0
        self._names: set[str] = set()
        self.channel: Channel | None = None
        request = {
            "argv": [program(), "-i", "-f", root + SSHD_CONFIG, "-E", root + "/var/log/sshd.log"],
            "environment": {},
            "cwd": "/",
            "user": user,
        }
        path = folder.at("sshd.json")
        folder.write(request, "sshd.json")
        self._request = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        listener.setblocking(False)
        self.accept(is_accepting=True)

    def accept(self, *, is_accepting: bool) -> None:
        """Accept connections, or let them wait."""
        if is_accepting:
            self._reactor.watch(self._listener.fileno(), self._accept)
        else:
            self._reactor.forget(self._listener.fileno())

    def stall(self, *, is_stalled: bool) -> None:
        """Let nothing pass through the connections that there are, or again."""
        for name in self._names:
            self._send({"signal": name, "number": SIGSTOP if is_stalled else SIGCONT})

    def hear_end(self, name: str) -> None:
        """Take in that a connection is over."""
        self._names.discard(name)
        self._send({"forget": name})

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it was taken back before we came
        self._count += 1
        name = f"{PREFIX}{self._count}"
        self._names.add(name)
        connection.setblocking(True)
        self._send({"run": name}, [self._request, *[connection.fileno()] * 3])
        connection.close()

    def _send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        try:
            if self.channel is not None:
                self.channel.send(message, descriptors)
        except OSError:
            pass  # the instance goes down: the caller is hung up on
