"""What it costs, in time, to run a trivial script: here, and by peers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.places import PEERS, RUNCTL, Scene, open_scene
from bench.scale import Scale
from bench.stopwatch import Cost, alternate, run

SUBMITIT = """
import sys, submitit
executor = submitit.LocalExecutor(folder="submitit")
executor.update_parameters(timeout_min=5)
print(executor.submit(submitit.helpers.CommandFunction(sys.argv[1:])).result())
"""


def measure(scale: Scale) -> list[Figure]:
    with open_scene() as scene:
        scene.write("hello.py", 'print("hi")\n')
        scene.write("submit.py", SUBMITIT)
        costs = alternate(_cases(scene), scale.launches)
    walls = {name: cost.wall_s for name, cost in costs.items()}
    cpus = {f"{name}, CPU": cost.cpu_s for name, cost in costs.items()}
    return [
        Figure(
            "wall of runctl local hello.py, over bare",
            walls["runctl"] - walls["bare"],
            "s",
            0.5,
            details=walls | cpus,
        ),
        Figure("wall of runctl local / torchx local_cwd", walls["runctl"] / walls["torchx"], "×", 1),
        Figure("wall of runctl local / submitit", walls["runctl"] / walls["submitit"], "×", 1),
    ]


def _cases(scene: Scene) -> dict[str, Callable[[], Cost]]:
    peers_python = str(PEERS / "python")
    torchx = [str(PEERS / "torchx"), "run", "--wait", "-s", "local_cwd", "utils.python"]
    return {
        "bare": _in(scene, [sys.executable, "hello.py"]),
        "runctl": _in(scene, [RUNCTL, "local", "hello.py"]),
        "torchx": _in(scene, [*torchx, "--script", "hello.py"]),
        "submitit": _in(scene, [peers_python, "submit.py", sys.executable, "hello.py"]),
    }


def _in(scene: Scene, argv: list[str]) -> Callable[[], Cost]:
    folder: Path = scene.project
    return lambda: run(argv, cwd=folder, env=scene.env)
