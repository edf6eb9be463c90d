"""A snapshot read back: its record, its nodes, its packs a few ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from runctl.model.checkpoint import Part
from runctl.model.codec import decode
from runctl.store.snapshot.packs import unpack
from runctl.store.snapshot.records import Entry, Snapshot
from runctl.store.snapshot.tree import walk

AHEAD = 6


class PackSource(Protocol):
    """Gives the bytes of a blob, held to its digest; IntegrityError where they are not there."""

    def get(self, part: Part) -> bytes: ...


def read_snapshot(source: PackSource, record: Part) -> Snapshot:
    return decode(source.get(record), Snapshot, key=f"blobs/{record.sha256}")


def read_leaves(source: PackSource, record: Part) -> dict[str, Entry]:
    """Return files, links and the folders that hold nothing, by path."""
    entries = read_entries(source, read_snapshot(source, record))
    filled = {path.rpartition("/")[0] for path in entries}
    return {path: entry for path, entry in entries.items() if path not in filled}


def read_entries(source: PackSource, snapshot: Snapshot) -> dict[str, Entry]:
    """Return all entries by path, folders too; the files' bytes are not read."""
    nodes = {
        sha256: bytes(node)
        for _, data in fetch(source, snapshot.nodes)
        for sha256, node in unpack(data.result())
    }
    return dict(walk(nodes, snapshot.root, snapshot.entry_count))


def fetch(source: PackSource, parts: Iterable[Part]) -> Iterator[tuple[Part, Future[bytes]]]:
    """Yield each blob in order, with a few more on their way."""
    waiting: deque[tuple[Part, Future[bytes]]] = deque()
    with ThreadPoolExecutor(AHEAD) as threads:
        try:
            for part in parts:
                waiting.append((part, threads.submit(source.get, part)))
                if len(waiting) > AHEAD:
                    yield waiting.popleft()
            yield from waiting
        finally:
            threads.shutdown(cancel_futures=True)
