"""Files that look like secrets among those that travel: found before they do.

What was looked at and found clean is remembered by size, times and inode, so that the next look
reads only what is new or changed. The memory can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from runctl.model.codec import escape_name
from runctl.project.patterns import Patterns
from runctl.project.secret_rules import FORMS, NAMES, judge_name, judge_text
from runctl.project.selection import Selected, Selection

LARGEST_BYTES = 1024**2
"""A larger file is data, and is not read."""
_SETTLED_NS = 2 * 10**9
_Stamp = tuple[int, int, int, int]
_RULES = hashlib.sha256(repr((NAMES, FORMS)).encode()).hexdigest()[:8]


class Suspect(Struct, frozen=True):
    """A file, what it seems to hold, and on which line; None where its name tells."""

    path: str
    what: str
    line: int | None
    is_tracked: bool


def find_suspects(selection: Selection, allowed: Patterns, cache_dir: Path) -> list[Suspect]:
    """Return what looks like a secret among the files of a selection, but for the allowed."""
    memory = _Memory(selection.root, cache_dir)
    found = [
        suspect
        for entry in selection.entries
        if entry.kind == "file" and entry.size_bytes and allowed.find(entry.path) is None
        if (suspect := _judge(selection.root, entry, memory)) is not None
    ]
    memory.keep()
    return found


def _judge(root: Path, entry: Selected, memory: _Memory) -> Suspect | None:
    path = f"{root}/{entry.path}"
    try:
        stamp = _stamp(os.lstat(path))
        if memory.knows(entry.path, stamp):
            return None
        what, line = judge_name(entry.path), None
        if what is None:
            what, line = _judge_content(entry, path)
    except OSError:
        return None  # gone, or not to be read: what sends it says so
    if what is None:
        memory.add(entry.path, stamp)
        return None
    return Suspect(entry.path, what, line, entry.reason == "tracked by git")


def _judge_content(entry: Selected, path: str) -> tuple[str, int] | tuple[None, None]:
    if entry.size_bytes > LARGEST_BYTES:
        return None, None
    with open(path, "rb") as file:
        data = file.read(LARGEST_BYTES)
    return (None, None) if b"\0" in data else judge_text(data) or (None, None)


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class _Memory:
    """The clean files of one project as they were when they were looked at."""

    def __init__(self, root: Path, cache_dir: Path) -> None:
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._path = cache_dir / "clean" / f"{name}-{_RULES}.json"
        self._before = _read(self._path)
        self._now: dict[str, _Stamp] = {}
        self._begun_ns = time.time_ns()

    def knows(self, path: str, stamp: _Stamp) -> bool:
        name = escape_name(path)
        if self._before.get(name) != stamp:
            return False
        self._now[name] = stamp
        return True

    def add(self, path: str, stamp: _Stamp) -> None:
        """Remember a file, unless it is so young that it may change and keep its times."""
        if max(stamp[1], stamp[2]) < self._begun_ns - _SETTLED_NS:
            self._now[escape_name(path)] = stamp

    def keep(self) -> None:
        if self._now == self._before:
            return
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(self._now))
            temporary.replace(self._path)
        except OSError:
            return  # a read-only home costs speed, nothing else


def _read(path: Path) -> dict[str, _Stamp]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Stamp])
    except (OSError, msgspec.DecodeError):
        return {}
