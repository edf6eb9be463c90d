"""The cables between the cloud and its machines: what is said over one that is cut, waits.

A machine whose network is lost must not notice it by a refusal: its connections hang, and go on
when the cable is mended, unless their other end has given up meanwhile.
"""

from __future__ import annotations

import os
import select
import socket
from threading import Event
from typing import Any


class Cable:
    """The cable of one machine."""

    def __init__(self) -> None:
        self._is_whole = Event()
        self._is_whole.set()
        self._is_gone = False
        self._cuts = 0

    def cut(self) -> None:
        """Let nothing pass."""
        self._cuts += 1
        self._is_whole.clear()

    def mend(self) -> None:
        """Let everything pass again."""
        self._is_whole.set()

    @property
    def unbroken_since(self) -> int | None:
        """A number that stays as long as the cable is whole; None while it is cut."""
        return self._cuts if self._is_whole.is_set() else None

    def remove(self) -> None:
        """End whoever waits: the machine is gone."""
        self._is_gone = True
        self._is_whole.set()

    def pass_through(self) -> None:
        """Wait while it is cut; raise OSError where the machine goes meanwhile."""
        if not self._is_whole.is_set():
            self._is_whole.wait()
            if self._is_gone:
                raise ConnectionResetError("the machine is gone")


class CableListener(socket.socket):
    """A socket that listens in a machine's network; what it accepts goes over the cable.

    The machine's keeper has it too, for the next process that serves the cloud: so it is never
    shut down, and whoever waits in ``accept`` is woken in another way.
    """

    def __init__(self, listener: socket.socket, cable: Cable) -> None:
        super().__init__(fileno=listener.detach())
        self.setblocking(False)
        self._cable = cable
        self._end = os.eventfd(0, os.EFD_CLOEXEC)

    def accept(self) -> tuple[socket.socket, Any]:
        """Wait for a connection; return it, and where it comes from."""
        poll = select.poll()
        for descriptor in (self.fileno(), self._end):
            poll.register(descriptor, select.POLLIN)
        while True:
            if any(descriptor == self._end for descriptor, _ in poll.poll()):
                os.close(self._end)
                raise ConnectionAbortedError("nobody is to accept any more")
            try:
                descriptor, address = self._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                continue  # whoever came has gone
            return CableStream(descriptor, self._cable), address

    def shutdown(self, how: int, /) -> None:
        """End the one who accepts."""
        del how
        os.eventfd_write(self._end, 1)


class CableStream(socket.socket):
    """A connection over a cable."""

    def __init__(self, descriptor: int, cable: Cable) -> None:
        super().__init__(fileno=descriptor)
        self._cable = cable
        self._since = cable.unbroken_since

    def fileno(self) -> int:
        """Return the descriptor, for one who is about to send through it past this class."""
        self._cable.pass_through()
        return super().fileno()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        self._check_arrival()
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        count = super().recv_into(buffer, nbytes, flags)
        self._check_arrival()
        return count

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self._cable.pass_through()
        super().sendall(data, flags)

    def _check_arrival(self) -> None:
        """What came since the cable was cut is only now here, if its sender has waited for it."""
        self._cable.pass_through()
        if self._cable.unbroken_since != self._since and self._has_hung_up():
            raise ConnectionResetError("the other end has given up")
        self._since = self._cable.unbroken_since

    def _has_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(super().fileno(), select.POLLIN)
        return bool(poll.poll(0)) and not super().recv(1, socket.MSG_PEEK)
