"""What a snapshot is written down as."""

from __future__ import annotations

import hashlib

from runctl.model.checkpoint import Part
from runctl.model.codec import Record, Value

EMPTY = hashlib.sha256().hexdigest()


def seal_of(record: Part) -> bytes:
    """Return the blob that stands in the store while a snapshot's packs may be relied on."""
    return f"the packs of snapshot record {record.sha256} are whole\n".encode()


class FileEntry(Value, frozen=True, kw_only=True, tag="file"):
    """A file. ``pieces``: where it is larger than a pack, its bytes in order; else it is one."""

    name: str
    mode: int
    size_bytes: int
    sha256: str
    pieces: tuple[Part, ...] = ()

    def parts(self) -> tuple[Part, ...]:
        """Return the pieces that hold its bytes: none for an empty file."""
        if self.pieces or not self.size_bytes:
            return self.pieces
        return (Part(sha256=self.sha256, size_bytes=self.size_bytes),)


class LinkEntry(Value, frozen=True, kw_only=True, tag="link"):
    name: str
    target: str


class FolderEntry(Value, frozen=True, kw_only=True, tag="folder"):
    """A folder; ``sha256`` is that of its node."""

    name: str
    mode: int
    sha256: str


Entry = FileEntry | LinkEntry | FolderEntry


class Node(Record, frozen=True, kw_only=True):
    """What stands directly in a folder, sorted by name; names and targets are escaped."""

    entries: tuple[Entry, ...]


class Snapshot(Record, frozen=True, kw_only=True):
    """A whole tree. ``root`` is the digest of its node: it alone says what the code is.

    ``nodes`` are the packs that hold nodes, ``packs`` those with the files' bytes; both may hold
    more than this tree needs. ``total_bytes`` is the size of all its files.
    """

    root: str
    nodes: tuple[Part, ...]
    packs: tuple[Part, ...]
    entry_count: int
    total_bytes: int
