"""What this machine remembers of a project's last snapshot: digests, and where the bytes are.

A cache: it may be lost, and what it says is believed only while nothing speaks against it.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from runctl.model.checkpoint import Part
from runctl.store.snapshot.records import Snapshot

# An edit within the tick of the clock that a file was read in leaves no trace in its times.
# The coarsest clocks of file systems go by two seconds.
TICK_NS = 2_000_000_000


class Stamp(Struct, frozen=True, array_like=True):
    """What changes when a file does."""

    mode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int


def stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(
        status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    )


class Remembered(Struct, frozen=True, array_like=True):
    """A file as it was when it was read at ``read_ns`` (ns since 1970)."""

    stamp: Stamp
    read_ns: int
    sha256: str
    pieces: tuple[Part, ...] = ()

    def is_still(self, stamp: Stamp) -> bool:
        """Tell whether the file cannot have changed since."""
        newest = max(stamp.modified_ns, stamp.changed_ns)
        return self.stamp == stamp and newest + TICK_NS < self.read_ns


class PackNote(Struct, frozen=True, array_like=True):
    """A pack in the store, and the sizes of its pieces by their digests."""

    part: Part
    pieces: dict[str, int]

    @property
    def size_bytes(self) -> int:
        return sum(self.pieces.values())


class Memory(Struct, frozen=True):
    """``files`` by their escaped paths; ``record`` is where the snapshot itself is."""

    files: dict[str, Remembered] = {}
    record: Part | None = None
    snapshot: Snapshot | None = None
    nodes: tuple[PackNote, ...] = ()
    packs: tuple[PackNote, ...] = ()


_decoder = msgspec.msgpack.Decoder(Memory)


def load_memory(path: Path) -> Memory:
    """Return what is remembered; nothing where that cannot be read."""
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Memory()


def save_memory(path: Path, memory: Memory) -> None:
    """Remember it, whole or not at all; a cache that cannot be written is none."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.msgpack.encode(memory))
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
