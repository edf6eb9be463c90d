"""One stream of a command, copied into a file up to a limit."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 65536


class Output:
    """Reads what a command writes; what is over the limit is read, and dropped."""

    def __init__(
        self, path: str, limit_bytes: int, also: Callable[[bytes], None] | None = None
    ) -> None:
        self.descriptor, self.writing_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.descriptor, False)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._left = limit_bytes
        self._also = also
        self.is_closed = False

    def copy(self) -> bool:
        """Copy what is there; return whether more may come."""
        try:
            chunk = os.read(self.descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        self._keep(chunk[: self._left])
        if self._also is not None and chunk:
            self._also(chunk)
        return bool(chunk)

    def _keep(self, chunk: bytes) -> None:
        try:
            os.write(self._file, chunk)
            self._left -= len(chunk)
        except OSError:
            self._left = 0  # the host's disk is full: the command must not hang on that

    def drain(self) -> None:
        """Copy what is still in the pipe, though others hold it open."""
        os.set_blocking(self.descriptor, False)
        for _ in range(32):  # more than a pipe holds
            if not self.copy():
                return

    def close(self) -> None:
        """Close both sides."""
        os.close(self.descriptor)
        os.close(self._file)
        self.is_closed = True
