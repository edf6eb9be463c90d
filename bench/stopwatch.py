"""What a process costs, and several kinds of it measured in turn.

CPU seconds come from the kernel's account of the process and of all it has waited for, so
that a neighbour's load moves them little; wall times are for what users wait for. Cases
alternate, so that what disturbs one disturbs them all, and the median is taken.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    cpu_s: float
    wall_s: float
    peak_bytes: int = 0


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int = subprocess.DEVNULL,
) -> Cost:
    """Run a command to its end; one that fails is an error that tells its last words."""
    with tempfile.TemporaryFile() as words:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=words
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            words.seek(0)
            told = words.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{list(argv)} ended with {process.returncode}: {told}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024)


def alternate(
    cases: Mapping[str, Callable[[], Cost]], rounds: int, *, warm_up: bool = True
) -> dict[str, Cost]:
    """Run all cases in turn, ``rounds`` times; return the median of each."""
    if warm_up:
        for case in cases.values():
            case()
    taken = [{name: case() for name, case in cases.items()} for _ in range(rounds)]
    return {name: median(costs[name] for costs in taken) for name in cases}


def median(costs: Iterable[Cost]) -> Cost:
    """Return the median of each measure by itself."""
    found = list(costs)
    return Cost(
        statistics.median(cost.cpu_s for cost in found),
        statistics.median(cost.wall_s for cost in found),
        max(cost.peak_bytes for cost in found),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
