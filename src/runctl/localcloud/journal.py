"""What happened in the cloud, one JSON document a line: ``runctl cloud events`` prints it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import msgspec

_LIMIT_BYTES = 16 << 20


class Journal:
    """Appends events to a file; when it is full, it takes the place of the one before."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()
        self._file = path.open("ab")

    def note(self, event: str, **details: object) -> None:
        """Write one event; details that are None are left out."""
        known = {key: value for key, value in details.items() if value is not None}
        line = msgspec.json.encode({"time": self._clock(), "event": event, **known}) + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            if self._file.tell() > _LIMIT_BYTES:
                self._file.close()
                os.replace(self._path, self._path.with_suffix(".1"))
                self._file = self._path.open("ab")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
