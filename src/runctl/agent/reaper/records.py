"""Small records on the local disk: whole or not at all, and durable."""

from __future__ import annotations

import json
import os
import time

from runctl.agent.reaper.names import BIRTH

TYPE_CHECKING = False  # typing would cost as much memory as all the rest
if TYPE_CHECKING:
    from typing import Any

    Fields = dict[str, Any]

RECORD_BYTES = 4096


def write_json(path: str, value: object) -> None:
    """Write a file whole or not at all, and durably."""
    temporary = f"{path}.tmp"
    data = json.dumps(value).encode()
    # Not truncated before, but after: the room that reserve has taken must not be given back.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _write_all(descriptor, data)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    _sync_folder(os.path.dirname(path))


def reserve(path: str) -> None:
    """Take the room for one record, so that a disk that fills up meanwhile cannot refuse it."""
    descriptor = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _write_all(descriptor, b" " * RECORD_BYTES)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """A disk that fills up takes a part of it, and says so only at the next write."""
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: str) -> Fields | None:
    try:
        with open(path, "rb") as file:
            found: Fields | None = json.loads(file.read())
            return found
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def boot_id() -> str:
    """Return what is another after each boot; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def read_age_s(folder: str) -> float:
    """Return for how long the attempt uses up its time; by the clock only across a reboot."""
    birth = read_json(f"{folder}/{BIRTH}")
    if birth is None:
        return 0.0
    is_same_boot = birth["boot"] == boot_id()
    now, since = (time.monotonic(), "monotonic") if is_same_boot else (time.time(), "at")
    return max(0.0, now - float(birth[since]))


def note_birth(folder: str) -> None:
    """Note since when the attempt uses up its time."""
    try:
        now = {"monotonic": time.monotonic(), "at": time.time(), "boot": boot_id()}
        write_json(f"{folder}/{BIRTH}", now)
    except OSError:  # a full disk: the time counts from when the agent looks
        pass
