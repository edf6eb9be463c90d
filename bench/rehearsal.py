"""A real run to measure in: a script that spins on as many cores as it is told, until told to end.

Checkpoints appear in it by a rename, which costs the script nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import Scene, open_scene
from bench.processes import cpu_seconds
from bench.work import fill

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
class Commit:
    """One commit as seen from outside; times are of the monotonic clock."""

    began: float
    ended: float
    agent_cpu_s: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Rehearsal:
    """The run: its processes by name, and what it has counted, once it is over."""

    scene: Scene
    run_id: str
    pids: dict[str, int]
    commits: list[Commit] = field(default_factory=list)
    slices: list[tuple[float, int]] = field(default_factory=list)

    def commit(self, source: Path) -> Commit:
        """Let a checkpoint appear, and wait until it is committed."""
        agent, count = self.pids["agent"], len(self.commits) + 1
        cpu_s, began = cpu_seconds(agent), time.monotonic()
        source.rename(self.scene.attempt(self.run_id) / "checkpoints" / source.name)
        while len(self.scene.bodies(self.run_id, "checkpoint_committed")) < count:
            assert time.monotonic() - began < PATIENCE_S, "the checkpoint was never committed"
            time.sleep(0.05)
        self.commits.append(Commit(began, time.monotonic(), cpu_seconds(agent) - cpu_s))
        return self.commits[-1]

    def write_checkpoint(self, name: str, size_bytes: int) -> Path:
        """Write, elsewhere, a checkpoint that is whole: random bytes, as safetensors."""
        tensor = {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}
        header = json.dumps({"weights": tensor}).encode()
        path = self.scene.home / f"{name}.safetensors"
        fill(path, size_bytes, header=len(header).to_bytes(8, "little") + header)
        return path


@contextmanager
def rehearse(spinners: int) -> Iterator[Rehearsal]:
    """Yield a run that trains; afterwards it has ended, and told how many steps it made."""
    with open_scene() as scene:
        scene.write("train.py", TRAIN)
        until, place = scene.home / "until", scene.home / "slices"
        run_id = scene.launch("train.py", "--", str(until), str(place), str(spinners))
        scene.wait_for_event(run_id, "command_started")
        rehearsal = Rehearsal(scene, run_id, scene.pids(run_id))
        yield rehearsal
        until.touch()
        scene.wait_for_event(run_id, "attempt_ended")
        found = [json.loads(path.read_bytes()) for path in scene.home.glob("slices-*.json")]
        assert len(found) == spinners
        rehearsal.slices = [(at, steps) for slices in found for at, steps in slices]
