"""Environments on disk: ``<root>/<key>/``, whole only with a ``complete.json`` in it.

A virtual environment holds its own path and cannot be moved, so it is built where it will
be used, under a lock beside it. The marker is written last, after everything before it has
reached the disk; a folder without one is the rest of a build that was killed, and is removed
and built again. A second builder waits for the lock, then finds the first one's result.

A complete environment is never changed by runctl. One that a run has changed since (``pip
install`` from within the training) is no longer what is declared: it is left alone, as
somebody may be using it, and the next generation ``<key>.1`` is built. So is it where a new one
is asked for; the newest is the one that is taken.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec

from runctl.agent.environment.metadata import normalize_name
from runctl.agent.environment.processes import IsCancelled, pause
from runctl.errors import StoppedOnRequest

MARKER = "complete.json"
_INFO = re.compile(r"^(?P<name>.+)-(?P<version>[^-]+)\.dist-info$")


class Complete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The marker: what was installed here, from what, and beside which packages of the image."""

    key: str
    lock_hash: str
    source: str
    installer: str
    python: str
    python_version: str
    packages: dict[str, str]
    hashes: dict[str, str] = {}
    image: dict[str, str] = {}
    schema: int = 1


def find(root: Path, key: str) -> tuple[Path, Complete | None]:
    """The environment of ``key`` and its marker, or the folder to build it in and None."""
    free, found = find_free(root, key), None
    for env in _iterate_generations(root, key):
        if env == free:
            break
        complete = _read_usable(env)
        if complete is not None and complete.packages == list_packages(env):
            found = env, complete
    return found or (free, None)


def find_free(root: Path, key: str) -> Path:
    """The folder of the next environment of ``key``: one that holds none that is whole."""
    return next(env for env in _iterate_generations(root, key) if _read_usable(env) is None)


def _iterate_generations(root: Path, key: str) -> Iterator[Path]:
    yield root / key
    yield from (root / f"{key}.{generation}" for generation in count(1))


def read_marker(env: Path) -> Complete | None:
    """The marker of ``env``; None if there is none, or none that can be read."""
    try:
        complete = msgspec.json.decode((env / MARKER).read_bytes(), type=Complete)
    except (OSError, msgspec.DecodeError):
        return None
    return complete if complete.schema == 1 else None


def _read_usable(env: Path) -> Complete | None:
    """The marker of ``env``, if the interpreter that it was built for is still there."""
    return read_marker(env) if os.access(env / "bin" / "python", os.X_OK) else None


@contextmanager
def hold(root: Path, key: str, is_cancelled: IsCancelled) -> Iterator[int]:
    """Hold the lock of ``key``; yields its descriptor. StoppedOnRequest if cancelled first.

    The lock's file is never removed: who removed it could lock another than who waits.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _try_lock(descriptor):
            if is_cancelled():
                raise StoppedOnRequest("Waiting for another run's installation was cancelled.")
            pause()
        yield descriptor
    finally:
        os.close(descriptor)


def clear(env: Path) -> None:
    """Remove what is left of ``env``, its marker first. The lock is held by the caller."""
    if env.is_dir():
        (env / MARKER).unlink(missing_ok=True)
        _sync_folder(env)
        shutil.rmtree(env)


def finish(env: Path, complete: Complete) -> None:
    """Declare ``env`` complete, once all of it has reached the disk."""
    _sync_file_system(env)
    draft = env / f"{MARKER}.draft"
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(complete)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(env / MARKER)
    _sync_folder(env)
    _sync_folder(env.parent)


def list_packages(env: Path) -> dict[str, str]:
    """Normalised names and versions of what is installed, from the names of folders alone."""
    folders = (env / "lib").glob("python*/site-packages")
    names = (name for folder in folders for name in os.listdir(folder))
    found = (match for match in map(_INFO.match, names) if match is not None)
    return dict(sorted((normalize_name(match["name"]), match["version"]) for match in found))


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_file_system(folder: Path) -> None:
    """Bring everything written in ``folder`` to the disk: one call, whatever its size."""
    if sys.platform != "linux":
        os.sync()
        return
    import ctypes  # noqa: PLC0415 - an environment that is cached needs it not

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
