"""Moves the bytes of a body into a file, past all that is computed of them.

Of a large body they are computed in a thread of their own: hashing takes longer than receiving and
writing, and none of the three holds Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread, local
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runctl.localcloud.s3.chunks import Source

_SPACE = 512 << 10
_SPACES = 4
_LARGE = 2 << 20
Take = Callable[[memoryview], object]
_kept = local()


def pump(source: Source, descriptor: int, takers: Sequence[Take], length: int | None) -> int:
    """Write a body into a file, and let all takers see it; return its size."""
    if length is not None and length < _LARGE:
        return _pump_alone(source, descriptor, takers)
    with _hashing(takers) as (free, full):
        size = 0
        while count := source.readinto(space := free.get()):
            piece = space[:count]
            full.put((space, piece))
            write_all(descriptor, piece)
            size += count
    return size


@contextmanager
def _hashing(
    takers: Sequence[Take],
) -> Iterator[tuple[SimpleQueue[memoryview], SimpleQueue[tuple[memoryview, memoryview] | None]]]:
    """Let the takers see what is put into the second queue; spaces come back in the first one."""
    free, full = SimpleQueue[memoryview](), SimpleQueue[tuple[memoryview, memoryview] | None]()
    for _ in range(_SPACES):
        free.put(memoryview(bytearray(_SPACE)))

    def take_all() -> None:
        while (got := full.get()) is not None:
            space, piece = got
            for take in takers:
                take(piece)
            free.put(space)

    thread = Thread(target=take_all, daemon=True, name="hashing")
    thread.start()
    try:
        yield free, full
    finally:
        full.put(None)
        thread.join()


def _pump_alone(source: Source, descriptor: int, takers: Sequence[Take]) -> int:
    size, space = 0, _space()
    while count := source.readinto(space):
        piece = space[:count]
        for take in takers:
            take(piece)
        write_all(descriptor, piece)
        size += count
    return size


def _space() -> memoryview:
    """Return the space of this thread, as each connection has one."""
    found: memoryview | None = getattr(_kept, "space", None)
    if found is None:
        found = _kept.space = memoryview(bytearray(_SPACE))
    return found


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of some bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
