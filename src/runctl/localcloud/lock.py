"""One process for each folder: who holds the lock serves the cloud in it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

NAME = "lock"


class FolderLock:
    """Held from the first to the last moment of a process; the kernel frees it with the process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Return whether it is ours now; the folder must be there."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not self._is_there(descriptor):
            os.close(descriptor)
            return self.take()  # a purge has removed the file in between
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        self._descriptor = descriptor
        return True

    def free(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False
