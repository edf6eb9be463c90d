"""What a commit costs, against hashing and copying the same bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.places import PYTHON, ROOT, clean_environ, scratch
from bench.scale import Scale
from bench.stopwatch import Cost, alternate
from bench.work import fill


def measure(scale: Scale) -> list[Figure]:
    with scratch() as folder:
        source = folder / "checkpoint.bin"
        fill(source, scale.checkpoint_bytes)
        cases = {name: _work(name, source, folder / "target") for name in ("copy", "commit")}
        costs = alternate(cases, scale.commits)
    gigabytes = scale.checkpoint_bytes / 1e9
    per_gb = {f"{name}, CPU s/GB": cost.cpu_s / gigabytes for name, cost in costs.items()}
    walls = {f"{name}, wall s": cost.wall_s for name, cost in costs.items()}
    return [
        Figure(
            "CPU of a commit / hash and copy",
            costs["commit"].cpu_s / costs["copy"].cpu_s,
            "x",
            1.3,
            details=per_gb | walls,
        )
    ]


def _work(name: str, source: Path, target: Path) -> Callable[[], Cost]:
    def work() -> Cost:
        command = [PYTHON, "-m", "bench.work", name, str(source), str(target)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=clean_environ(target), capture_output=True, check=True
            )
        finally:
            _remove(target)
        return Cost(**json.loads(done.stdout))

    return work


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
