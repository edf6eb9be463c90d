"""Packs of code that this instance has fetched before: the next run on it fetches what is new."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from runctl.model.checkpoint import Part
from runctl.store.snapshot import PackSource

LIMIT_BYTES = 4 * 1024**3


class PackCache:
    """A folder before a store. It may be lost, and is believed only by its digests."""

    def __init__(self, folder: Path, source: PackSource, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._source, self._limit_bytes = folder, source, limit_bytes

    def get(self, part: Part) -> bytes:
        place = self._folder / part.sha256
        found = _read(place, part)
        if found is not None:
            return found
        data = self._source.get(part)
        with suppress(OSError):  # a full disk costs only the next run's time
            _write(place, data)
        return data

    def trim(self) -> None:
        """Delete what was used longest ago, down to the limit, and what a kill has left."""
        with suppress(FileNotFoundError):
            entries = [entry for entry in os.scandir(self._folder) if entry.is_file()]
            kept_bytes = 0
            for entry in sorted(entries, key=lambda one: one.stat().st_mtime_ns, reverse=True):
                kept_bytes += entry.stat().st_size
                if kept_bytes > self._limit_bytes:
                    os.unlink(entry.path)


def _read(place: Path, part: Part) -> bytes | None:
    """Return the bytes if they are the very ones, and note that they were used."""
    try:
        data = place.read_bytes()
        os.utime(place)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == part.sha256 else None


def _write(place: Path, data: bytes) -> None:
    """Put the bytes at their place, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, place)
    except OSError:
        os.unlink(name)
        raise
