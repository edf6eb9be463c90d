"""What a real run's agent and reaper hold, and what a commit takes from a training beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.processes import peak_bytes, resident_bytes
from bench.rehearsal import Commit, rehearse
from bench.scale import MIB, Scale


def measure(scale: Scale) -> list[Figure]:
    return [*_measure_memory(scale), *_measure_slow_down(scale)]


def _measure_memory(scale: Scale) -> list[Figure]:
    with rehearse(0) as run:
        source = run.write_checkpoint("step-1", scale.checkpoint_bytes)
        agent, reaper = run.pids["agent"], run.pids["reaper"]
        at_rest_bytes = resident_bytes(agent)
        run.commit(source)
        at_most_bytes, reaper_bytes = peak_bytes(agent), resident_bytes(reaper)
    size = f"{scale.checkpoint_bytes // MIB} MiB"
    return [
        Figure("agent's memory at rest", at_rest_bytes / 1e6, "MB", 80),
        Figure(f"agent's peak memory, committing {size}", at_most_bytes / 1e6, "MB", 256),
        Figure("reaper's memory", reaper_bytes / 1e6, "MB", 15),
    ]


def _measure_slow_down(scale: Scale) -> list[Figure]:
    """Commit while every core trains: what the agent takes, it takes from the training."""
    cores = os.cpu_count() or 1
    with rehearse(cores) as run:
        source = run.write_checkpoint("step-1", scale.checkpoint_bytes)
        time.sleep(scale.loop_s)
        commit = run.commit(source)
        time.sleep(scale.loop_s)
    taken = commit.agent_cpu_s / (commit.seconds * cores)
    size = f"{scale.checkpoint_bytes // MIB} MiB"
    return [
        Figure(f"a commit of {size} while all cores train", commit.seconds, "s"),
        Figure("share of the cores that the agent takes meanwhile", taken * 100, "%"),
        Figure("slow-down of the training meanwhile", _slow_down(run.slices, commit) * 100, "%"),
    ]


def _slow_down(slices: Sequence[tuple[float, int]], commit: Commit) -> float:
    """Return by what share the steps of a slice became fewer while the commit went on."""
    began, ended = commit.began, commit.ended
    during = [steps for at, steps in slices if began + 0.1 <= at <= ended]
    beside = [steps for at, steps in slices if not began <= at <= ended + 0.1]
    assert during, "the commit was too short to be seen"
    return 1 - (sum(during) / len(during)) / (sum(beside) / len(beside))
