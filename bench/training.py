"""What a real run's agent and reaper take while a script trains and a checkpoint is committed.

The script spins on every core, so that whatever the agent takes is taken from it; half-way
a checkpoint appears by a rename, which costs the script nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.places import Scene, open_scene
from bench.processes import cpu_seconds, peak_bytes, resident_bytes
from bench.scale import MIB, Scale
from bench.work import fill

NAME = "step-1.safetensors"
PATIENCE_S = 600.0
TRAIN = """
import json, multiprocessing, os, sys, time

def spin(until, place):
    slices = []
    while not os.path.exists(until):
        ends, steps = time.monotonic() + 0.1, 0
        while time.monotonic() < ends:
            sum(range(1000))
            steps += 1
        slices.append((time.monotonic(), steps))
    with open(place, "w") as out:
        json.dump(slices, out)

if __name__ == "__main__":
    until, place, count = sys.argv[1:]
    spinners = [
        multiprocessing.Process(target=spin, args=(until, f"{place}-{index}.json"))
        for index in range(int(count))
    ]
    for spinner in spinners:
        spinner.start()
    while not os.path.exists(until):
        time.sleep(0.1)
    for spinner in spinners:
        spinner.join()
"""


@dataclass(frozen=True)
class Observed:
    """One commit, as seen from outside. Memory is in bytes, times are of the monotonic clock."""

    began: float
    ended: float
    agent_cpu_s: float
    agent_at_rest: int
    agent_at_most: int
    reaper: int
    slices: Sequence[tuple[float, int]]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def measure(scale: Scale) -> list[Figure]:
    idle, busy = _observe(scale, spinners=0), _observe(scale, spinners=os.cpu_count() or 1)
    gigabytes = scale.checkpoint_bytes / 1e9
    size = f"{scale.checkpoint_bytes // MIB} MiB"
    return [
        Figure("agent's memory at rest", idle.agent_at_rest / 1e6, "MB", 80),
        Figure(f"agent's peak memory, committing {size}", idle.agent_at_most / 1e6, "MB", 256),
        Figure("reaper's memory", idle.reaper / 1e6, "MB", 15),
        Figure("CPU of the agent, a commit on idle cores", idle.agent_cpu_s / gigabytes, "s/GB"),
        Figure("CPU of the agent, a commit on busy cores", busy.agent_cpu_s / gigabytes, "s/GB"),
        Figure(f"a commit of {size} on idle cores", idle.seconds, "s"),
        Figure(f"a commit of {size} on busy cores", busy.seconds, "s"),
        Figure("training slowed down meanwhile by", _slow_down(busy) * 100, "%"),
    ]


def _observe(scale: Scale, *, spinners: int) -> Observed:
    with open_scene() as scene:
        scene.write("train.py", TRAIN)
        until, place = scene.home / "until", scene.home / "slices"
        source = _write_checkpoint(scene.home / NAME, scale.checkpoint_bytes)
        run_id = scene.launch("train.py", "--", str(until), str(place), str(spinners))
        scene.wait_for_event(run_id, "command_started")
        time.sleep(scale.loop_s)
        pids = scene.pids(run_id)
        at_rest, cpu_before = resident_bytes(pids["agent"]), cpu_seconds(pids["agent"])
        began = time.monotonic()
        source.rename(scene.attempt(run_id) / "checkpoints" / NAME)
        _wait_for_commit(scene, run_id)
        ended, cpu_after = time.monotonic(), cpu_seconds(pids["agent"])
        at_most, reaper = peak_bytes(pids["agent"]), resident_bytes(pids["reaper"])
        time.sleep(scale.loop_s)
        until.touch()
        scene.wait_for_event(run_id, "attempt_ended")
        slices = list(_read_slices(scene.home))
    assert len({index for index, *_ in slices}) == spinners
    counted = [(at, steps) for _, at, steps in slices]
    return Observed(began, ended, cpu_after - cpu_before, at_rest, at_most, reaper, counted)


def _write_checkpoint(path: Path, size_bytes: int) -> Path:
    """Write a checkpoint that is whole: one tensor of random bytes, as safetensors."""
    tensor = {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}
    header = json.dumps({"weights": tensor}).encode()
    fill(path, size_bytes, header=len(header).to_bytes(8, "little") + header)
    return path


def _wait_for_commit(scene: Scene, run_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not scene.bodies(run_id, "checkpoint_committed"):
        assert time.monotonic() < deadline, "the checkpoint was never committed"
        time.sleep(0.05)


def _read_slices(folder: Path) -> Iterator[tuple[str, float, int]]:
    for path in folder.glob("slices-*.json"):
        for at, steps in json.loads(path.read_bytes()):
            yield path.name, at, steps


def _slow_down(observed: Observed) -> float:
    """Return by what share the steps of a slice became fewer while the commit went on."""
    began, ended = observed.began, observed.ended
    during = [steps for at, steps in observed.slices if began + 0.1 <= at <= ended]
    beside = [steps for at, steps in observed.slices if not began <= at <= ended + 0.1]
    assert during, "the commit was too short to be seen"
    return 1 - (sum(during) / len(during)) / (sum(beside) / len(beside))
