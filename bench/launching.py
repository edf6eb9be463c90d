"""What it costs, in time, to run a trivial script: here, and by peers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.places import PEERS, PYTHON, RUNCTL, Scene, open_scene
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
        # An environment that is activated: all start the script with the very same Python.
        scene.env["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{scene.env['PATH']}"
        scene.write("hello.py", 'print("hi")\n')
        scene.write("submit.py", SUBMITIT)
        costs = alternate(_cases(scene), scale.launches)
    walls = {name: cost.wall_s for name, cost in costs.items()}
    over_bare_s = walls["runctl"] - walls["bare"]
    return [
        Figure("wall of runctl local hello.py, over bare", over_bare_s, "s", 0.5, details=walls),
        _against("torchx local_cwd", walls["runctl"], walls["torchx"]),
        _against("submitit local", walls["runctl"], walls["submitit"]),
    ]


def _against(peer: str, own_s: float, peers_s: float) -> Figure:
    return Figure(f"wall of runctl local / {peer}", own_s / peers_s, "x", 1)


def _cases(scene: Scene) -> dict[str, Callable[[], Cost]]:
    torchx = [str(PEERS / "torchx"), "run", "--wait", "-s", "local_cwd", "utils.python"]
    return {
        "bare": _in(scene, ["python", "hello.py"]),
        "runctl": _in(scene, [RUNCTL, "local", "hello.py"]),
        "torchx": _in(scene, [*torchx, "--script", "hello.py"]),
        "submitit": _in(scene, [str(PEERS / "python"), "submit.py", PYTHON, "hello.py"]),
    }


def _in(scene: Scene, argv: list[str]) -> Callable[[], Cost]:
    return lambda: run(argv, cwd=scene.project, env=scene.env)
