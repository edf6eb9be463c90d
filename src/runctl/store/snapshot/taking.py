"""A snapshot of files as they are now: what the store has not is read, packed and sent."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from runctl.errors import ConflictError, RefusedError
from runctl.model.checkpoint import Part
from runctl.model.codec import encode, escape_name
from runctl.store.blobs import Blobs
from runctl.store.snapshot.memory import Memory, PackNote, Remembered, Stamp, stamp_of
from runctl.store.snapshot.packing import Packer
from runctl.store.snapshot.packs import PACK_BYTES
from runctl.store.snapshot.records import EMPTY, Entry, FileEntry, LinkEntry, Snapshot
from runctl.store.snapshot.tree import plant
from runctl.store.snapshot.trusting import seal, trust, worth_keeping


@dataclass(frozen=True)
class Taken:
    """A snapshot that is in the store, and what is to be remembered of it."""

    snapshot: Snapshot
    record: Part
    memory: Memory


def take_snapshot(
    blobs: Blobs,
    root: str | os.PathLike[str],
    paths: Iterable[str],
    memory: Memory | None = None,
    now_ns: Callable[[], int] = time.time_ns,
) -> Taken:
    """Store the named files, links and empty folders under ``root``.

    Files that are remembered, and have not changed, are not read unless their bytes are to be sent.
    """
    known = trust(blobs, memory or Memory())
    with Packer(lambda data: blobs.put(data).part, _kept_packs(known)) as packer:
        look = _Look(os.fspath(root), known.files, packer, now_ns)
        for path in paths:
            look.at(path)
        packs = packer.finish(_pieces_of(look.files))
    planted, nodes = plant(look.leaves, look.modes)
    node_packs = _pack_nodes(blobs, known, nodes)
    snapshot = Snapshot(
        root=planted,
        nodes=tuple(note.part for note in node_packs),
        packs=tuple(note.part for note in packs),
        entry_count=len(look.leaves) + len(look.modes),
        total_bytes=sum(file.stamp.size_bytes for file in look.files.values()),
    )
    record = _record(blobs, known, snapshot)
    return Taken(snapshot, record, Memory(look.files, record, snapshot, node_packs, packs))


def _pack_nodes(blobs: Blobs, known: Memory, nodes: Mapping[str, bytes]) -> tuple[PackNote, ...]:
    """Store the nodes that no pack worth keeping holds; return the packs that hold them all."""
    kept = worth_keeping(known.nodes, frozenset(nodes))
    with Packer(lambda data: blobs.put(data).part, kept) as packer:
        for sha256, data in nodes.items():
            packer.add(sha256, data)
        return packer.finish(nodes)


def _record(blobs: Blobs, known: Memory, snapshot: Snapshot) -> Part:
    """Return where the snapshot is written down; sealed once all that it names is stored."""
    if known.record is not None and snapshot == known.snapshot:
        return known.record
    record = blobs.put(encode(snapshot)).part
    seal(blobs, record)
    return record


def _kept_packs(memory: Memory) -> list[PackNote]:
    return worth_keeping(memory.packs, frozenset(_pieces_of(memory.files)))


def _pieces_of(files: Mapping[str, Remembered]) -> Iterator[str]:
    yield from (file.sha256 for file in files.values())
    yield from (piece.sha256 for file in files.values() for piece in file.pieces)


@dataclass
class _Look:
    """Looks at one path after the other, and gathers what was seen."""

    root: str
    remembered: Mapping[str, Remembered]
    packer: Packer
    now_ns: Callable[[], int]
    files: dict[str, Remembered] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    leaves: list[tuple[str, Entry]] = field(default_factory=list)

    def at(self, path: str) -> None:
        """Take in what is at a path; a folder is an empty one."""
        full, escaped = f"{self.root}/{path}", escape_name(path)
        status = os.lstat(full)
        folder, _, name = escaped.rpartition("/")
        if folder not in self.modes:
            self._see_folders(path.rpartition("/")[0])
        if stat.S_ISREG(status.st_mode):
            self.leaves.append((folder, self._see_file(path, escaped, name, stamp_of(status))))
        elif stat.S_ISLNK(status.st_mode):
            target = escape_name(os.readlink(full))
            self.leaves.append((folder, LinkEntry(name=name, target=target)))
        else:
            self._see_folders(path)

    def _see_folders(self, path: str) -> None:
        """Take in a folder, and all that it is in."""
        while path and escape_name(path) not in self.modes:
            self.modes[escape_name(path)] = os.stat(f"{self.root}/{path}").st_mode & 0o777
            path = path.rpartition("/")[0]

    def _see_file(self, path: str, escaped: str, name: str, stamp: Stamp) -> FileEntry:
        found = self.remembered.get(escaped)
        if found is None or not found.is_still(stamp) or not self._is_stored(found):
            found = self._read(path)
        self.files[escaped] = found
        return FileEntry(
            name=name,
            mode=found.stamp.mode & 0o777,
            size_bytes=found.stamp.size_bytes,
            sha256=found.sha256,
            pieces=found.pieces,
        )

    def _is_stored(self, found: Remembered) -> bool:
        if found.pieces:
            return all(self.packer.has(piece.sha256) for piece in found.pieces)
        return found.sha256 == EMPTY or self.packer.has(found.sha256)

    def _read(self, path: str) -> Remembered:
        """Read a file once, piece by piece, into packs; ConflictError if it changes meanwhile."""
        read_ns, full = self.now_ns(), f"{self.root}/{path}"
        with _opened(full, path) as file:
            before = stamp_of(os.fstat(file.fileno()))
            whole, pieces = hashlib.sha256(), []
            while data := file.read(PACK_BYTES):
                whole.update(data)
                pieces.append(self._keep(data))
            after = stamp_of(os.fstat(file.fileno()))
        if before != after or sum(piece.size_bytes for piece in pieces) != after.size_bytes:
            raise ConflictError(
                f"{full} changed while it was read", hint="type the same again", path=path
            )
        kept = tuple(pieces) if len(pieces) > 1 else ()
        return Remembered(after, read_ns, whole.hexdigest(), kept)

    def _keep(self, data: bytes) -> Part:
        sha256 = hashlib.sha256(data).hexdigest()
        self.packer.add(sha256, data)
        return Part(sha256=sha256, size_bytes=len(data))


@contextmanager
def _opened(full: str, path: str) -> Iterator[BinaryIO]:
    """Open a file that travels; RefusedError where it may not be read."""
    try:
        file = open(full, "rb", buffering=0)  # noqa: SIM115 - closed below
    except PermissionError as error:
        raise RefusedError(
            f"{full} cannot be read: {error.strerror}",
            hint=f"make it readable, or leave it out: --exclude-pattern '/{path}'",
        ) from error
    with file:
        yield file
