"""The socket over which a keeper is asked: one JSON object a line, each answered in turn."""

from __future__ import annotations

import array
import json
import os
import socket

from runctl.localcloud.machines.keeper import folder as places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.keeper.reactor import Reactor
    from runctl.localcloud.machines.plan import Message

_CHUNK_BYTES = 65536


class Caller:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pending = b""
        self.hears_events = False

    def answer(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a line, with descriptors; one who has gone misses it."""
        line = json.dumps(message).encode() + b"\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            sent = self.connection.sendmsg([line], rights if descriptors else [])
            self.connection.sendall(line[sent:])
        except OSError:
            self.hears_events = False  # it has gone, or does not listen: nobody waits for it again


class Control:
    """Listens in the instance's folder."""

    def __init__(
        self, folder: Folder, reactor: Reactor, obey: Callable[[Caller, Message], None]
    ) -> None:
        self._reactor = reactor
        self._obey = obey
        self._callers: dict[int, Caller] = {}
        self._socket = _listen(folder)
        reactor.watch(self._socket.fileno(), self._accept)

    def tell(self, event: Message) -> None:
        """Tell those who listen for events."""
        for caller in list(self._callers.values()):
            if caller.hears_events:
                caller.answer(event)

    def close(self) -> None:
        """Hang up on all."""
        for caller in self._callers.values():
            caller.connection.close()
        self._socket.close()

    def _accept(self) -> None:
        connection, _ = self._socket.accept()
        connection.settimeout(5)  # one who does not read must not hold up the others
        caller = Caller(connection)
        self._callers[connection.fileno()] = caller
        self._reactor.watch(connection.fileno(), lambda: self._read(caller))

    def _read(self, caller: Caller) -> None:
        try:
            chunk = caller.connection.recv(_CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            number = caller.connection.fileno()
            self._reactor.forget(number)
            del self._callers[number]
            caller.connection.close()
            return
        *lines, caller.pending = (caller.pending + chunk).split(b"\n")
        for line in lines:
            self._take(caller, line)

    def _take(self, caller: Caller, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError as fault:
            caller.answer({"ok": False, "error": str(fault)})
            return
        self._obey(caller, message)


def _listen(folder: Folder) -> socket.socket:
    """Listen at the folder's socket; its path may be longer than a socket's name can be."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    place = os.open(folder.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.path.lexists(folder.at(places.CONTROL)):
            os.unlink(folder.at(places.CONTROL))
        made.bind(f"/proc/self/fd/{place}/{places.CONTROL}")
    finally:
        os.close(place)
    os.chmod(folder.at(places.CONTROL), 0o600)
    made.listen(64)
    return made
