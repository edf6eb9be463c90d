"""A door before the local cloud that swallows answers: the cloud has acted, nobody is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class LossyDoor:
    """Passes connections on to an endpoint; the next ``losing`` answers to a PUT are lost."""

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        self._behind = (address.hostname or "", address.port or 80)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.losing = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):  # the door is closed
            while True:
                here, _ = self._door.accept()
                threading.Thread(target=self._pass, args=(here,), daemon=True).start()

    def _pass(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._behind) as there, suppress(OSError):
            verbs: list[bytes] = []
            threading.Thread(target=_pump, args=(here, there, verbs), daemon=True).start()
            while data := there.recv(65536):
                if self.losing and verbs[-1] == b"PUT":
                    self.losing -= 1
                    here.shutdown(socket.SHUT_RDWR)
                    return
                here.sendall(data)


def _pump(here: socket.socket, there: socket.socket, verbs: list[bytes]) -> None:
    """Send on what comes, and note the verbs: each request of these tests is small."""
    with suppress(OSError):
        while data := here.recv(65536):
            verb = data.split(b" ", 1)[0]
            if verb in (b"PUT", b"GET", b"HEAD", b"POST", b"DELETE"):
                verbs.append(verb)
            there.sendall(data)
