"""How much of each thing is measured: in full, or just enough to see that it can be."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024**2


@dataclass(frozen=True)
class Scale:
    rounds: int = 15
    runs: int = 10_000
    launches: int = 7
    lines: int = 400
    log_bytes: int = 512 * MIB
    checkpoint_bytes: int = 1024 * MIB
    commits: int = 3
    loop_s: float = 8.0
    machines: tuple[tuple[int, float], ...] = ((20, 10.0), (50, 20.0))
    """How many instances, and how many seconds they may take."""
    idle_s: float = 20.0
    described: int = 1000
    listed: tuple[tuple[int, float], ...] = ((50, 1.0), (1000, 3.0))
    """How many instances, and how many seconds of CPU a list of them may take."""
    object_bytes: int = 256 * MIB
    objects: int = 4000
    trees: tuple[tuple[int, int, int], ...] = ((2000, 20 * MIB, 9), (50_000, 1000 * MIB, 3))
    """How many files, how many bytes they are, and how often each is synced."""
    moved: tuple[tuple[int, int], ...] = ((1, 2048 * MIB), (8, 256 * MIB), (5000, 16 * 1024))
    """How many files are moved, and of which size."""
    moves: int = 3
    synced: int = 20_000
    keys: int = 100_000


FULL = Scale()
SHORT = Scale(
    rounds=3,
    runs=200,
    launches=2,
    lines=30,
    log_bytes=32 * MIB,
    checkpoint_bytes=64 * MIB,
    commits=2,
    loop_s=1.0,
    machines=((3, 10.0),),
    idle_s=1.0,
    described=50,
    listed=((50, 1.0),),
    object_bytes=16 * MIB,
    objects=400,
    trees=((300, 3 * MIB, 3),),
    moved=((1, 64 * MIB), (200, 16 * 1024)),
    moves=1,
    synced=500,
    keys=2000,
)
