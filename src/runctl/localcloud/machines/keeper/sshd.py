"""sshd: one for each connection, so that none waits in an instance that nobody looks into."""

from __future__ import annotations

import os
import socket

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import tools
from runctl.localcloud.machines.keeper.furnishing import SSHD_CONFIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.keeper.reactor import Reactor
    from runctl.localcloud.machines.plan import Plan

_PLACES = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd")
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
        self.resume()

    def pause(self) -> None:
        """Let connections wait."""
        self._reactor.forget(self._listener.fileno())

    def resume(self) -> None:
        """Accept again."""
        self._reactor.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it was taken back before we came
        self._count += 1
        descriptor = connection.fileno()
        connection.setblocking(True)
        try:
            if self.channel is not None:
                message = {"run": f"ssh {self._count}"}
                self.channel.send(message, [self._request, descriptor, descriptor, descriptor])
        except OSError:
            pass  # the instance goes down: the caller is hung up on
        finally:
            connection.close()
