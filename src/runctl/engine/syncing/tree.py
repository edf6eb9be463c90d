"""The project's selection as entries, with the digests of files that have not changed kept.

An entry is (path, kind, mode, size, what): ``what`` is a file's SHA-256, a link's target, or
nothing for a folder. ``runctl.agent.receiving`` has the same on the other side.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from runctl.errors import RefusedError
from runctl.project import Selected, Selection

# What was changed so short a time before it was read may change again within one tick of the
# file system's clock, and look the same: it is read again.
_UNSURE_NS = 2_000_000_000
_OWNERS = 0o700

Stamp = tuple[int, int, int]


class Entry(NamedTuple):
    path: str
    kind: str
    mode: int
    size_bytes: int
    what: str


Entries = dict[str, Entry]


class Known(NamedTuple):
    """What a file's bytes were when it last had this size and these times."""

    size_bytes: int
    stamp: Stamp
    sha256: str


def digest_of(entries: Mapping[str, Entry]) -> str:
    """Name a tree by all its entries."""
    lines = (
        f"{kind}\0{mode}\0{size}\0{what}\0{path}\n"
        for path, kind, mode, size, what in (entries[path] for path in sorted(entries))
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def read_tree(
    selection: Selection, known: Mapping[str, Known], now_ns: int
) -> tuple[Entries, dict[str, Known]]:
    """Return the entries of what travels, folders before what is in them, and what to remember.

    Raises RefusedError for a file that cannot be read.
    """
    root = os.fspath(selection.root)
    entries = {one.path: one for one in _folders(root, selection.entries)}
    learnt: dict[str, Known] = {}
    for one in selection.entries:
        if one.kind == "link":
            entries[one.path] = Entry(one.path, "l", 0o777, 0, one.target or "")
        elif one.kind == "file":
            _take_file(root, one.path, known.get(one.path), now_ns, entries, learnt)
    return entries, learnt


def _take_file(
    root: str,
    path: str,
    known: Known | None,
    now_ns: int,
    entries: Entries,
    learnt: dict[str, Known],
) -> None:
    full = f"{root}/{path}"
    try:
        status = os.lstat(full)
        size = status.st_size
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        is_known = known is not None and known.size_bytes == size and known.stamp == stamp
        sha256 = known.sha256 if known is not None and is_known else _hash(full)
    except FileNotFoundError:
        return  # gone since it was selected
    entries[path] = Entry(path, "f", status.st_mode & 0o777, size, sha256)
    if max(stamp[:2]) < now_ns - _UNSURE_NS:
        learnt[path] = Known(size, stamp, sha256)


def _hash(full: str) -> str:
    try:
        with open(full, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError as error:
        raise RefusedError(
            f"{full} cannot be read: {error.strerror}",
            hint="make it readable, or leave it here: --exclude-pattern",
        ) from error


def _folders(root: str, selected: Iterable[Selected]) -> list[Entry]:
    """Return all folders that something travels in, and the empty ones."""
    paths: set[str] = set()
    for one in selected:
        path = one.path if one.kind == "folder" else one.path.rpartition("/")[0]
        while path and path not in paths:
            paths.add(path)
            path = path.rpartition("/")[0]
    found = []
    for path in sorted(paths):
        mode = os.lstat(Path(root, path)).st_mode & 0o777 | _OWNERS
        found.append(Entry(path, "d", mode, 0, ""))
    return found
