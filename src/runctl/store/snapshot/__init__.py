"""Content-addressed code: a tree of nodes, one a folder, and packs that hold the bytes.

The digest of the root's node names the code. Packs are kept from one snapshot to the next, so
that a change costs what has changed. What is unpacked is held to its digests, file by file; a
tree that names a path leading out is refused.
"""

from __future__ import annotations

from runctl.store.snapshot.memory import (
    Memory,
    Remembered,
    load_memory,
    save_memory,
    stamp_of,
)
from runctl.store.snapshot.reading import PackSource, read_entries, read_leaves, read_snapshot
from runctl.store.snapshot.records import (
    Entry,
    FileEntry,
    FolderEntry,
    LinkEntry,
    Node,
    Snapshot,
)
from runctl.store.snapshot.taking import Taken, take_snapshot
from runctl.store.snapshot.trusting import break_seal
from runctl.store.snapshot.unpacking import unpack_snapshot

__all__ = [
    "Entry",
    "FileEntry",
    "FolderEntry",
    "LinkEntry",
    "Memory",
    "Node",
    "PackSource",
    "Remembered",
    "Snapshot",
    "Taken",
    "break_seal",
    "load_memory",
    "read_entries",
    "read_leaves",
    "read_snapshot",
    "save_memory",
    "stamp_of",
    "take_snapshot",
    "unpack_snapshot",
]
