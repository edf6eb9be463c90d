"""What happened in the cloud, one JSON document a line: ``runctl cloud events`` prints it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Condition
from typing import Any

import msgspec

_LIMIT_BYTES = 16 << 20
_PAGE_BYTES = 1 << 20
Events = list[dict[str, Any]]


class Journal:
    """Appends events to a file; when it is full, it takes the place of the one before."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._changed = Condition()
        self._file = path.open("ab")

    def note(self, event: str, **details: object) -> None:
        """Write one event; details that are None are left out."""
        known = {key: value for key, value in details.items() if value is not None}
        line = msgspec.json.encode({"time": self._clock(), "event": event, **known}) + b"\n"
        with self._changed:
            self._file.write(line)
            self._file.flush()
            if self._file.tell() > _LIMIT_BYTES:
                self._file.close()
                os.replace(self._path, self._old_path)
                self._file = self._path.open("ab")
            self._changed.notify_all()

    def close(self) -> None:
        """Close the file."""
        with self._changed:
            self._file.close()
            self._changed.notify_all()

    def read(self, cursor: str, wait_s: float = 0.0) -> tuple[Events, str]:
        """Return what came after a cursor, some of it, and the next cursor.

        The empty cursor is before all that is kept. Where nothing has come yet, it is waited for.
        """
        events, following = self._read(cursor)
        if events or wait_s <= 0:
            return events, following
        with self._changed:
            if not self._file.closed and self._size() == _offset(following):
                self._changed.wait(wait_s)
        return self._read(following)

    def _read(self, cursor: str) -> tuple[Events, str]:
        number, offset = cursor.partition("-")[0], _offset(cursor)
        for path in (self._old_path, self._path):
            try:
                with path.open("rb") as file:
                    own = str(os.fstat(file.fileno()).st_ino)
                    if number and number != own:
                        continue  # it was read, or it comes after
                    file.seek(offset)
                    events, size = _parse(file.read(_PAGE_BYTES))
            except FileNotFoundError:
                continue
            if events or path == self._path:
                return events, f"{own}-{offset + size}"
            number, offset = "", 0
        return [], ""  # the file of the cursor is long gone: begin anew

    def _size(self) -> int:
        return os.stat(self._path).st_size

    @property
    def _old_path(self) -> Path:
        return self._path.with_suffix(".1")


def _offset(cursor: str) -> int:
    number = cursor.partition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _parse(data: bytes) -> tuple[Events, int]:
    """Read whole lines; return them, and how many bytes they are."""
    whole = data[: data.rfind(b"\n") + 1]
    return [msgspec.json.decode(line) for line in whole.splitlines()], len(whole)
