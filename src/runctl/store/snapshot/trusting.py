"""Which of the packs that are remembered may be relied on once more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from msgspec.structs import replace

from runctl.model.checkpoint import Part
from runctl.store.blobs import REFRESH_AGE, Blobs
from runctl.store.snapshot.memory import Memory, PackNote
from runctl.store.snapshot.packs import PACK_BYTES
from runctl.store.snapshot.records import seal_of

# A snapshot's seal is written once all that its record names is there and not to be refreshed. As
# long as it is this young, all of that is younger than what the sweep takes (see ``blobs``).
RELY_AGE = timedelta(hours=6)
ASKED_AT_ONCE = 16
SMALL_BYTES, MOST_SMALL = PACK_BYTES // 4, 16


def trust(blobs: Blobs, memory: Memory) -> Memory:
    """Return the memory without what is not in the store, or would not stay there.

    One request where the last snapshot's seal is young; one more for each pack where it is old.
    Where it has gone, a pack may be damaged: then none is relied on.
    """
    age = blobs.age(_seal_part(memory.record)) if memory.record else None
    if age is None:
        return replace(memory, record=None, snapshot=None, nodes=(), packs=())
    if age < RELY_AGE:
        return memory
    return replace(
        memory,
        record=None,
        snapshot=None,
        nodes=_still_there(blobs, memory.nodes),
        packs=_still_there(blobs, memory.packs),
    )


def seal(blobs: Blobs, record: Part) -> None:
    """Say that all that the record names is in the store, whole and young."""
    blobs.put(seal_of(record))


def break_seal(blobs: Blobs, record: Part) -> None:
    """Say that something was damaged: the next snapshot looks at each byte that it relies on."""
    blobs.delete(_seal_part(record))


def _seal_part(record: Part) -> Part:
    data = seal_of(record)
    return Part(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def worth_keeping(notes: Iterable[PackNote], needed: frozenset[str]) -> list[PackNote]:
    """Return the packs that are mostly needed; of many small ones none, to be one again."""
    used = [note for note in notes if _needed_bytes(note, needed) * 2 >= note.size_bytes]
    small = sum(note.size_bytes < SMALL_BYTES for note in used)
    if small <= MOST_SMALL:
        return used
    return [note for note in used if note.size_bytes >= SMALL_BYTES]


def _needed_bytes(note: PackNote, needed: frozenset[str]) -> int:
    return sum(size_bytes for sha256, size_bytes in note.pieces.items() if sha256 in needed)


def _still_there(blobs: Blobs, notes: tuple[PackNote, ...]) -> tuple[PackNote, ...]:
    with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
        ages = list(threads.map(lambda note: blobs.age(note.part), notes))
    found = zip(notes, ages, strict=True)
    return tuple(note for note, age in found if age is not None and age < REFRESH_AGE)
