"""What it costs to list runs, with many in the ledger."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable

from bench.figures import Figure
from bench.places import RUNCTL, Scene, open_scene
from bench.scale import Scale
from bench.stopwatch import Cost, alternate, run
from bench.stories import fill_ledger

PAGE = ("runs",)
FILTERED = ("runs", "--name", "sweep-00099")  # one of the older ones: all must be looked at


def measure(scale: Scale) -> list[Figure]:
    with open_scene() as scene:
        fill_ledger(scene.ledger, scale.runs)
        _check(scene)
        cold = alternate({"first": _cold(scene, PAGE)}, scale.rounds)["first"]
        found_cold = _cold(scene, FILTERED)()
        cases = {"first": _typed(scene, PAGE), "filtered": _typed(scene, FILTERED)}
        warm = alternate(cases, scale.rounds)
    count = f"{scale.runs:,} runs"
    return [
        Figure(f"CPU of the first page of {count}, no cache", cold.cpu_s, "s", 0.5),
        Figure(f"CPU of the first page of {count}, cached", warm["first"].cpu_s, "s", 0.5),
        Figure(f"CPU of a search through {count}, cached", warm["filtered"].cpu_s, "s"),
        Figure(f"CPU of a search through {count}, no cache", found_cold.cpu_s, "s"),
    ]


def _check(scene: Scene) -> None:
    """See that the listing lists: a fast answer that is wrong is no figure."""
    done = scene.type(*PAGE, "--output", "json")
    assert done.returncode == 0, f"no runs were listed: {done.stderr.decode()}"
    names = [found["name"] for found in json.loads(done.stdout)]
    assert names[:3] == ["sweep-00000", "sweep-00001", "sweep-00002"], names


def _typed(scene: Scene, words: tuple[str, ...]) -> Callable[[], Cost]:
    return lambda: run(
        [RUNCTL, *words], cwd=scene.project, env=scene.env, stdout=subprocess.DEVNULL
    )


def _cold(scene: Scene, words: tuple[str, ...]) -> Callable[[], Cost]:
    def forget_and_type() -> Cost:
        shutil.rmtree(scene.home / ".cache" / "runctl", ignore_errors=True)
        return _typed(scene, words)()

    return forget_and_type
