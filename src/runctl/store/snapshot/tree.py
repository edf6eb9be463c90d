"""From paths to a tree of nodes, and back: no files, no stores."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from runctl.errors import SnapshotMismatch, UnsafePath
from runctl.model.codec import decode, encode, unescape_name
from runctl.model.paths import check_relative
from runctl.store.snapshot.records import Entry, FolderEntry, Node

USUAL_MODE = 0o755


def plant(
    leaves: Iterable[tuple[str, Entry]], modes: Mapping[str, int]
) -> tuple[str, dict[str, bytes]]:
    """Return the root's digest, and all nodes by theirs.

    ``leaves`` are files and links, each with the escaped path of its folder; ``modes`` holds the
    folders, empty ones too, by their escaped paths.
    """
    inside: dict[str, list[Entry]] = defaultdict(list)
    for folder, entry in leaves:
        inside[folder].append(entry)
    for folder in {"", *modes, *inside}:
        _have_ancestors(folder, inside)
    nodes: dict[str, bytes] = {}
    for folder in sorted(inside, key=_depth, reverse=True):
        entries = tuple(sorted(inside[folder], key=lambda entry: entry.name))
        data = encode(Node(entries=entries))
        sha256 = hashlib.sha256(data).hexdigest()
        nodes[sha256] = data
        if folder:
            parent, _, name = folder.rpartition("/")
            mode = modes.get(folder, USUAL_MODE)
            inside[parent].append(FolderEntry(name=name, mode=mode, sha256=sha256))
    return sha256, nodes


def _have_ancestors(folder: str, inside: Mapping[str, list[Entry]]) -> None:
    """Make room for a folder, and for all that it is in."""
    inside[folder]  # a default: its own list
    while folder:
        folder = folder.rpartition("/")[0]
        inside[folder]


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def walk(nodes: Mapping[str, bytes], root: str, limit: int) -> Iterator[tuple[str, Entry]]:
    """Yield all entries by their paths (not escaped), a folder before what is in it.

    Raises UnsafePath for a name that leads out, and SnapshotMismatch for a node that is not
    there, a name that is there twice, and more than ``limit`` entries.
    """
    pending, count = [("", root)], 0
    while pending:
        folder, sha256 = pending.pop()
        for name, entry in _read_node(nodes, sha256):
            count += 1
            if count > limit:
                raise SnapshotMismatch(f"the tree has more than the {limit} entries that it names")
            path = f"{folder}/{name}" if folder else name
            yield path, entry
            if isinstance(entry, FolderEntry):
                pending.append((path, entry.sha256))


def _read_node(nodes: Mapping[str, bytes], sha256: str) -> Iterator[tuple[str, Entry]]:
    if sha256 not in nodes:
        raise SnapshotMismatch(f"the tree has no node {sha256}")
    seen: set[str] = set()
    for entry in decode(nodes[sha256], Node, key=f"node {sha256}").entries:
        name = check_relative(unescape_name(entry.name))
        if "/" in name:
            raise UnsafePath(f"{name!r} is not the name of one thing", path=name)
        if name in seen:
            raise SnapshotMismatch(f"the tree names {name} twice in one folder")
        seen.add(name)
        yield name, entry
