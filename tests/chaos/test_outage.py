"""The ledger out of reach for a while: the training goes on, and all arrives after."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scene import Scene

STEPS = """
import json, os, time
from pathlib import Path

place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
step = 0
while not Path(os.environ["RUNCTL_OUTPUT_DIR"], "go").exists():
    step += 1
    if step % 10 == 0:
        (place / "new.tmp").write_text(json.dumps({"step": step}))
        (place / "new.tmp").rename(place / f"step-{step:06d}.json")
    print(f"step {step}", flush=True)
    time.sleep(0.02)
"""


@contextmanager
def away(ledger: Path) -> Iterator[None]:
    """Take the ledger away, as a network would, and bring it back as it was."""
    place = ledger.with_name("unreachable")
    ledger.rename(place)
    try:
        yield
    finally:
        assert not ledger.exists(), "another ledger was begun in its place: its records are lost"
        place.rename(ledger)


def last_step(scene: Scene, run_id: str) -> int:
    return int(scene.output(run_id).split()[-1])


@pytest.mark.parametrize("kills_agent", [False, True])
def test_training_goes_on_while_the_ledger_is_away(scene: Scene, kills_agent: bool) -> None:
    scene.write("steps.py", STEPS)
    run_id = scene.launch("steps.py")
    scene.wait_for_event(run_id, "checkpoint_committed", count=2)
    with away(scene.ledger):
        before = last_step(scene, run_id)
        if kills_agent:
            scene.kill(run_id, "agent")
        time.sleep(2)
        scene.wait_for("steps", lambda: last_step(scene, run_id) >= before + 20)
    reached = last_step(scene, run_id)
    scene.wait_for(
        "a checkpoint after it",
        lambda: int(scene.manifests(run_id)[-1]["name"][5:11]) > reached,
    )
    (scene.outputs(run_id) / "go").touch()
    assert scene.wait(run_id) == 0
    assert b"".join(scene.log_pieces(run_id)) == scene.output(run_id)
    names = [manifest["name"] for manifest in scene.manifests(run_id)]
    assert len(names) == len(set(names)), "a checkpoint was committed twice"
    for manifest in scene.manifests(run_id):
        [data] = scene.committed(manifest).values()
        assert json.loads(data)["step"] == int(manifest["name"][5:11])
    assert len(scene.bodies(run_id, "attempt_ended")) == 1


def test_run_that_ends_while_the_ledger_is_away_tells_it_after(scene: Scene) -> None:
    scene.write("steps.py", STEPS)
    run_id = scene.launch("steps.py")
    scene.wait_for_event(run_id, "checkpoint_committed")
    with away(scene.ledger):
        (scene.outputs(run_id) / "go").touch()
        scene.wait_for("its exit record", (scene.attempt(run_id) / "exit.json").exists)
        time.sleep(1)
        assert "agent" in scene.pids(run_id), "the agent has left with the end untold"
    assert scene.wait(run_id) == 0
    assert b"".join(scene.log_pieces(run_id)) == scene.output(run_id)
    written = {p.name for p in (scene.attempt(run_id) / "checkpoints").glob("*.json")}
    newest = max(written)
    assert newest in {manifest["name"] for manifest in scene.manifests(run_id)}
