"""What is about to be rented, written down first: whoever is killed and typed again takes it up.

A file holds the token of a launch. Its lock is held for as long as its writer lives, so a file
that nobody locks was left by one who was killed; one that is locked is somebody else's business.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runctl.config.durable import written_beside
from runctl.errors import ConfigError
from runctl.model.codec import Value, encode


class _Record(Value, frozen=True, kw_only=True):
    token: str


@dataclass
class Intent:
    """``is_taken_up``: an earlier process began it, and may have rented already."""

    token: str
    is_taken_up: bool
    path: Path
    descriptor: int

    def settle(self) -> None:
        """Take in that what was asked for is there, and known to the user; or never will be."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def take_up(folder: Path, asked: bytes, make_token: Callable[[], str]) -> Intent:
    """Return the intent that a killed process has left for what is asked, else a new one.

    It is on disk before this returns. ConfigError where it cannot be kept.
    """
    digest = hashlib.sha256(asked).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(folder.glob(f"{digest}*.json")):
            found = _take_left(path)
            if found is not None:
                return found
        return _begin(folder, digest, make_token())
    except OSError as error:
        raise ConfigError(
            f"what is about to be rented cannot be written down in {folder}: {error.strerror}",
            hint="set XDG_CONFIG_HOME to a folder that can be written",
            path=str(folder),
        ) from error


def _take_left(path: Path) -> Intent | None:
    """Return the intent in a file, unless its writer lives, or has just settled it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if not (_lock(descriptor) and _is_at(path, descriptor)):
        os.close(descriptor)
        return None
    return Intent(_read(path), is_taken_up=True, path=path, descriptor=descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether it is still there: it may have been settled after it was opened."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _begin(folder: Path, digest: str, token: str) -> Intent:
    """Write a new file; whoever can see it finds it locked."""
    path = folder / f"{digest}.json"
    with written_beside(path, encode(_Record(token=token)), 0o600) as temporary:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CLOEXEC)
        _lock(descriptor)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:  # the writer of that one lives
            path = folder / f"{digest}-{os.urandom(8).hex()}.json"
            path.hardlink_to(temporary)
    _sync(folder)
    return Intent(token, is_taken_up=False, path=path, descriptor=descriptor)


def _lock(descriptor: int) -> bool:
    """Take the lock, which the kernel drops with this process, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Record).token
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"{path} does not say what was about to be rented: {error}",
            hint=f"runctl aws list, and then rm {path}",
            path=str(path),
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
