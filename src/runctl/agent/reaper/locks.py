"""Who lives and who holds what: locks that the kernel drops with their holder."""

from __future__ import annotations

import fcntl
import os


def take_lock(path: str) -> int | None:
    """Return a descriptor that holds the lock until it is closed, or None if it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: str) -> bool:
    if not os.path.exists(path):
        return False
    descriptor = take_lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def sign_lock(descriptor: int, holder: str) -> None:
    """Write who holds it, for those who look; a full disk costs them only the name."""
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, holder.encode())
    except OSError:
        pass


def holder_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read() or "another run"
