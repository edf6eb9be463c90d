"""What a container adds to a run, and what it costs to know that an image has not changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.places import PYTHON, RUNCTL, Scene, open_scene
from bench.scale import Scale
from bench.stopwatch import Cost, alternate, run
from tests.dockerd import IMAGE, Dockerd, dockerd

FILES, LINES = 300, 2000


def measure(scale: Scale) -> list[Figure]:
    if sys.platform != "linux" or os.geteuid() != 0:
        sys.stderr.write(
            "containers: not measured, for a Docker of one's own needs root on Linux\n"
        )
        return []
    with dockerd() as daemon, open_scene() as scene:
        scene.env["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{scene.env['PATH']}"
        scene.env |= daemon.env
        _write_project(scene)
        costs = alternate(_cases(scene), scale.launches)
        _forget(daemon)
    walls = {name: cost.wall_s for name, cost in costs.items()}
    over_bare_s, cpu_s = walls["container"] - walls["bare"], costs["unchanged"].cpu_s
    return [
        Figure("wall of a run in a container, over bare", over_bare_s, "s", 1.5, details=walls),
        Figure(f"CPU to know an image of {FILES} files unchanged", cpu_s, "s", 1),
    ]


def _write_project(scene: Scene) -> None:
    scene.write("hello.py", 'print("hi")\n')
    scene.write("Dockerfile", f"FROM {IMAGE}\nCOPY . /app\n")
    for number in range(FILES):
        scene.write(f"src/module_{number}.py", "x = 1\n" * LINES)


def _cases(scene: Scene) -> dict[str, Callable[[], Cost]]:
    def case(*words: str) -> Callable[[], Cost]:
        return lambda: run([RUNCTL, *words], cwd=scene.project, env=scene.env)

    case("docker", "build")()  # what is measured is the second time
    return {
        "bare": case("local", "hello.py"),
        "container": case("local", "hello.py", "--image", IMAGE),
        "unchanged": case("docker", "build"),
    }


def _forget(daemon: Dockerd) -> None:
    for name in daemon.ask("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        daemon.ask("image", "rm", "--force", name)
