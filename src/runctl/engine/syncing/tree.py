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
from runctl.store.snapshot import Remembered, stamp_of

_OWNERS = 0o700


class Entry(NamedTuple):
    path: str
    kind: str
    mode: int
    size_bytes: int
    what: str


Entries = dict[str, Entry]


def digest_of(entries: Mapping[str, Entry]) -> str:
    """Name a tree by all its entries."""
    lines = (
        f"{kind}\0{mode}\0{size}\0{what}\0{path}\n"
        for path, kind, mode, size, what in (entries[path] for path in sorted(entries))
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def read_tree(
    selection: Selection, known: Mapping[str, Remembered], now_ns: int
) -> tuple[Entries, dict[str, Remembered]]:
    """Return the entries of what travels, folders before what is in them, and all its files.

    Raises RefusedError for a file that cannot be read.
    """
    root = os.fspath(selection.root)
    entries = {one.path: one for one in _folders(root, selection.entries)}
    files: dict[str, Remembered] = {}
    for one in selection.entries:
        if one.kind == "link":
            entries[one.path] = Entry(one.path, "l", 0o777, 0, one.target or "")
        elif one.kind == "file":
            found = _look_at(f"{root}/{one.path}", known.get(one.path), now_ns)
            if found is not None:
                files[one.path] = found
                stamp = found.stamp
                mode = stamp.mode & 0o777
                entries[one.path] = Entry(one.path, "f", mode, stamp.size_bytes, found.sha256)
    return entries, files


def _look_at(full: str, known: Remembered | None, now_ns: int) -> Remembered | None:
    """Return a file as it is now; None where it has gone since it was selected."""
    try:
        stamp = stamp_of(os.lstat(full))
        if known is not None and known.is_still(stamp):
            return known
        return Remembered(stamp, now_ns, _hash(full))
    except FileNotFoundError:
        return None


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
