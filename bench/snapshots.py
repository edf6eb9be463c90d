"""What it costs to know what code is, and to store it: new, unchanged, with one file changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure
from bench.places import scratch
from bench.scale import MIB, Scale
from bench.sync import cpu_s, grow
from runctl.project import select_files
from runctl.store.blobs import Blobs
from runctl.store.folder import FolderObjects
from runctl.store.snapshot import load_memory, save_memory, take_snapshot, unpack_snapshot

CPU_LIMIT_S = 1.0
_OF_CPU = 50_000


@dataclass(frozen=True)
class Taking:
    cpu_s: float
    blobs: int
    stored_bytes: int


def measure(scale: Scale) -> list[Figure]:
    figures = []
    for count, total_bytes, _ in scale.trees:
        with scratch() as folder:
            tree = grow(folder / "tree", count, total_bytes // count)
            time.sleep(2.5)  # what is so new is read again the next time
            what = f"snapshot of {count} files, {total_bytes // MIB} MiB"
            figures += _measure(tree, folder, what, is_limited=count >= _OF_CPU)
    return figures


def _measure(tree: Path, folder: Path, what: str, *, is_limited: bool) -> list[Figure]:
    first, unchanged = _take(tree, folder), _take(tree, folder)
    with (tree / "part0" / "f0.py").open("a") as file:
        file.write("x = 1\n")
    changed = _take(tree, folder)
    limit = CPU_LIMIT_S if is_limited else None
    return [
        Figure(f"CPU of a first {what}", first.cpu_s, "s", details=vars(first)),
        Figure(f"CPU of an unchanged {what}", unchanged.cpu_s, "s", limit, details=vars(unchanged)),
        Figure(f"CPU with one file changed, {what}", changed.cpu_s, "s", details=vars(changed)),
        Figure(f"CPU of writing it out, {what}", _write_out(folder), "s"),
    ]


def _take(tree: Path, folder: Path) -> Taking:
    """Choose the files and take a snapshot, as a launch does."""
    store, place = folder / "store", folder / "memory"
    before = _blobs(store)
    began = cpu_s()
    taken = take_snapshot(_open(store), tree, select_files(tree).paths, load_memory(place))
    save_memory(place, taken.memory)
    spent_s, after = cpu_s() - began, _blobs(store)
    return Taking(spent_s, len(after) - len(before), sum(after.values()) - sum(before.values()))


def _write_out(folder: Path) -> float:
    memory = load_memory(folder / "memory")
    assert memory.snapshot is not None
    began = cpu_s()
    unpack_snapshot(_open(folder / "store"), memory.snapshot, folder / "code")
    return cpu_s() - began


def _open(store: Path) -> Blobs:
    return Blobs(FolderObjects(store), lambda: datetime.now(UTC))


def _blobs(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in store.glob("blobs/*")}
