"""Hears what all keepers of a tier have to tell, on one thread."""

from __future__ import annotations

import json
import os
import selectors
import socket
import threading
from collections.abc import Callable

from runctl.localcloud.machines import caller
from runctl.localcloud.machines.errors import MachineGone
from runctl.localcloud.machines.keeper.folder import ENDED
from runctl.localcloud.machines.plan import Message
from runctl.localcloud.machines.results import Event


class _Line:
    """The connection to one keeper."""

    def __init__(self, instance_id: str, path: str, connection: socket.socket) -> None:
        self.instance_id = instance_id
        self.path = path
        self.connection = connection
        self.pending = b""
        self.has_ended = False


class Watch:
    """One thread that sleeps until a keeper says something, or hangs up."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._guard = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._hearers: list[Callable[[Event], None]] = []
        self._is_closed = False
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="machines", daemon=True)
        self._thread.start()

    def listen(self, hear: Callable[[Event], None]) -> None:
        """Add one who is told."""
        self._hearers.append(hear)

    def add(self, instance_id: str, path: str) -> None:
        """Listen to the keeper of a folder; once is enough."""
        with self._guard:
            if path in self._lines or self._is_closed:
                return
            try:
                connection = caller.connect(path)
                connection.sendall(json.dumps({"op": "events"}).encode() + b"\n")
                connection.setblocking(False)
            except (MachineGone, OSError):
                return  # it has ended meanwhile, and its state says so
            line = self._lines[path] = _Line(instance_id, path, connection)
            self._selector.register(connection, selectors.EVENT_READ, line)

    def forget(self, path: str) -> None:
        """Listen no more."""
        with self._guard:
            line = self._lines.pop(path, None)
            if line is not None:
                self._selector.unregister(line.connection)
                line.connection.close()

    def close(self) -> None:
        """End the thread; once is enough."""
        with self._guard:
            if self._is_closed:
                return
            self._is_closed = True
        self._wake.send(b"1")
        self._thread.join()
        for path in list(self._lines):
            self.forget(path)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._read(key.data)

    def _read(self, line: _Line) -> None:
        try:
            chunk = line.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        *messages, line.pending = (line.pending + chunk).split(b"\n")
        for message in messages:
            self._tell(line, json.loads(message))
        if not chunk:
            self._hang_up(line)

    def _hang_up(self, line: _Line) -> None:
        if self._lines.get(line.path) is not line:
            return  # it was forgotten, and nobody wants to know
        self.forget(line.path)
        if not line.has_ended and not os.path.exists(os.path.join(line.path, ENDED)):
            self._say(Event(line.instance_id, "ended", reason="lost"))

    def _tell(self, line: _Line, message: Message) -> None:
        if "event" not in message:
            return  # the answer to our greeting
        line.has_ended |= message["event"] == "ended"
        kind, command, reason = message["event"], message.get("id"), message.get("reason")
        self._say(Event(line.instance_id, kind, command, reason))

    def _say(self, event: Event) -> None:
        for hear in self._hearers:
            hear(event)
