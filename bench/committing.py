"""What a commit costs, against hashing and copying the same bytes."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.places import PYTHON, ROOT, clean_environ, scratch
from bench.rehearsal import rehearse
from bench.scale import Scale
from bench.stopwatch import Cost, alternate
from bench.work import fill


def measure(scale: Scale) -> list[Figure]:
    return [_measure_protocol(scale), _measure_agent(scale)]


def _measure_protocol(scale: Scale) -> Figure:
    """The commit by itself: the same bytes, the same disk, process against process."""
    with scratch() as folder:
        source = folder / "checkpoint.bin"
        fill(source, scale.checkpoint_bytes)
        cases = {name: _repeat(name, source, folder / "target") for name in ("copy", "commit")}
        costs = alternate(cases, scale.commits)
    copy_s, commit_s = costs["copy"].cpu_s, costs["commit"].cpu_s
    return _compare("CPU of a commit / hash and copy", commit_s, copy_s, scale)


def _measure_agent(scale: Scale) -> Figure:
    """A real run: all that its agent uses until a checkpoint is committed.

    Every copy and every commit is kept until the end, so that all take memory and disk that
    is new: on a virtual machine the first use of a page costs more than all later ones.
    """
    copied_s, committed_s = [], []
    with rehearse(0) as run:
        for index in range(scale.commits):
            source = run.write_checkpoint(f"step-{index}", scale.checkpoint_bytes)
            copied_s.append(_work("copy", source, run.scene.home / f"copy-{index}").cpu_s)
            committed_s.append(run.commit(source).agent_cpu_s)
    medians = statistics.median(committed_s), statistics.median(copied_s)
    return _compare("CPU of the agent of a run / hash and copy", *medians, scale)


def _compare(name: str, commit_s: float, copy_s: float, scale: Scale) -> Figure:
    gigabytes = scale.checkpoint_bytes / 1e9
    per_gb = {"copy, s/GB": copy_s / gigabytes, "commit, s/GB": commit_s / gigabytes}
    return Figure(name, commit_s / copy_s, "x", 1.3, details=per_gb)


def _repeat(name: str, source: Path, target: Path) -> Callable[[], Cost]:
    def work() -> Cost:
        try:
            return _work(name, source, target)
        finally:
            _remove(target)

    return work


def _work(name: str, source: Path, target: Path) -> Cost:
    command = [PYTHON, "-m", "bench.work", name, str(source), str(target)]
    env = clean_environ(target)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True)
    return Cost(**json.loads(done.stdout))


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
