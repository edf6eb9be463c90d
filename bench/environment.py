"""The phase ``environment`` of examples/digits: installed from a warm cache of uv, then found."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from bench.figures import Figure
from bench.places import ROOT, scratch
from bench.scale import Scale

DIGITS = ROOT / "examples" / "digits"
CACHED_S, FIRST_S = 0.2, 3.0
# A process of its own, as the agent is one: what it imports for the phase is counted.
PHASE = """
import os, sys, time
began = time.perf_counter()
from pathlib import Path
from runctl.agent.environment import Settings, prepare
found = prepare(
    Path(sys.argv[1]), Path("train.py"), Settings(), envs_root=Path(sys.argv[2]),
    base_python=Path(sys.executable), on_output=lambda data: None,
    is_cancelled=lambda: False, environ=dict(os.environ),
)
print(time.perf_counter() - began, found.is_cached)
"""


def measure(scale: Scale) -> list[Figure]:
    with scratch() as folder:
        _prepare(folder / "warming", is_cached=False)
        first = [_prepare(folder / f"{n}", is_cached=False) for n in range(scale.launches)]
        cached = [_prepare(folder / "0", is_cached=True) for _ in range(scale.launches)]
    return [
        Figure("environment of examples/digits, cached", statistics.median(cached), "s", CACHED_S),
        Figure("environment of it, first, uv's cache warm", statistics.median(first), "s", FIRST_S),
    ]


def _prepare(envs: Path, *, is_cached: bool) -> float:
    """Return what the phase took, in seconds; it must have found what was to be found."""
    argv = [sys.executable, "-c", PHASE, str(DIGITS), str(envs)]
    done = subprocess.run(argv, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    seconds, told = done.stdout.split()
    if told != str(is_cached):
        raise RuntimeError(f"the environment was {'not ' if is_cached else ''}cached")
    return float(seconds)
