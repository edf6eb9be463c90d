"""Promise 8: any command may be killed at any moment and typed again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scene import Scene

TRIALS = 2
SOAK_TRIALS = 60
# Longer than a command takes until it waits, here; a delay beyond its end kills nothing.
LONGEST_S = 0.8
SLOW = """
import json, os, time
from pathlib import Path

place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
for step in range(1, 5):
    (place / "new.tmp").write_text(json.dumps({"step": step}))
    (place / "new.tmp").rename(place / f"step-{step}.json")
    print(f"step {step}", flush=True)
while not Path(os.environ["RUNCTL_OUTPUT_DIR"], "go").exists():
    time.sleep(0.02)
"""


def type_and_kill(scene: Scene, delay_s: float, *words: str) -> None:
    """Type a command, and kill it, and it alone, after a while."""
    command = scene.type_in_background(*words)
    time.sleep(delay_s)
    if command.poll() is None:
        os.kill(command.pid, signal.SIGKILL)
    command.wait()


def listed(scene: Scene) -> list[dict[str, Any]]:
    done = scene.type("runs", "--output", "json")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    runs: list[dict[str, Any]] = found if isinstance(found, list) else found["runs"]
    return runs


def the_one_run(scene: Scene) -> str:
    [run] = listed(scene)
    return str(run["run_id"])


def let_go(scene: Scene, run_id: str, attempt: int = 1) -> None:
    scene.wait_for_output(run_id, b"step 4", attempt)
    Path(scene.outputs(run_id, attempt), "go").touch()


def check_nothing_is_left_running(scene: Scene) -> None:
    scene.wait_for("the end of all processes", lambda: not scene.survivors())


def kill_train(scene: Scene, delay_s: float) -> None:
    words = ("train", "--detach", "--name", "mine", "slow.py")
    type_and_kill(scene, delay_s, *words)
    done = scene.type(*words)
    assert done.returncode == 0, done.stderr.decode()
    run_id = the_one_run(scene)
    let_go(scene, run_id)
    assert scene.wait(run_id) == 0
    assert [body["phase"] for body in scene.bodies(run_id, "phase_started")].count("running") == 1


def kill_attached_train(scene: Scene, delay_s: float) -> None:
    words = ("train", "--name", "mine", "slow.py")
    type_and_kill(scene, delay_s, *words)
    again = scene.type_in_background(*words)
    scene.wait_for("the run", lambda: [r for r in listed(scene) if r["attempts"]])
    run_id = the_one_run(scene)
    let_go(scene, run_id)
    assert again.wait(timeout=60) == 0
    assert scene.wait(run_id) == 0


def kill_resume(scene: Scene, delay_s: float) -> None:
    run_id = scene.launch("--name", "mine", "slow.py")
    scene.wait_for_event(run_id, "checkpoint_committed", count=4)
    scene.kill(run_id, "command")
    assert scene.wait(run_id) == 20
    type_and_kill(scene, delay_s, "resume", "--detach", "mine")
    # 5: the first one has done it
    done = scene.type("resume", "--detach", "mine")
    assert done.returncode in (0, 5), done.stderr.decode()
    let_go(scene, run_id, attempt=2)
    assert scene.wait(run_id) == 0
    assert the_one_run(scene) == run_id
    assert scene.bodies(run_id, "resume_chosen", 2)[0]["step"] == 4
    assert len(list((scene.run_folder(run_id) / "attempts").iterdir())) == 2


def kill_stop(scene: Scene, delay_s: float) -> None:
    run_id = scene.launch("--grace", "1s", "--name", "mine", "slow.py")
    scene.wait_for_output(run_id, b"step 4")
    type_and_kill(scene, delay_s, "stop", "mine")
    done = scene.type("stop", "mine")
    assert done.returncode in (0, 5, 24), done.stderr.decode()  # 5: it has stopped
    assert scene.wait(run_id) == 24
    assert len(scene.bodies(run_id, "stop_begun")) == 1


def kill_rm(scene: Scene, delay_s: float) -> None:
    for name in ("mine", "other"):
        run_id = scene.launch("--name", name, "slow.py")
        let_go(scene, run_id)
        assert scene.wait(run_id) == 0
    mine = next(run["run_id"] for run in listed(scene) if run["name"] == "mine")
    type_and_kill(scene, delay_s, "rm", "--yes", "mine")
    for run in listed(scene):  # half removed is not listed: what is, is whole
        assert len(scene.manifests(run["run_id"])) == 4
        assert scene.type("status", run["run_id"]).returncode == 0
        assert b"step 4" in scene.type("logs", run["run_id"]).stdout
    done = scene.type("rm", "--yes", mine)
    assert done.returncode in (0, 4), done.stderr.decode()  # 4: it is gone
    assert [run["name"] for run in listed(scene)] == ["other"]
    records = [path for path in (scene.ledger / "runs" / mine).rglob("*") if path.is_file()]
    assert not records, "records are left"
    assert not scene.attempt(mine).exists(), "its folder is left"


def kill_cleanup(scene: Scene, delay_s: float) -> None:
    run_id = scene.launch("--name", "mine", "slow.py")
    let_go(scene, run_id)
    assert scene.wait(run_id) == 0
    words = ("checkpoint", "cleanup", "mine", "--keep-last", "1", "--yes")
    type_and_kill(scene, delay_s, *words)
    for manifest in scene.manifests(run_id):  # what is still listed is whole
        assert scene.committed(manifest)
    done = scene.type(*words)
    assert done.returncode == 0, done.stderr.decode()
    [manifest] = scene.manifests(run_id)
    assert json.loads(scene.committed(manifest)["step-4.json"]) == {"step": 4}


KILLS: dict[str, Callable[[Scene, float], None]] = {
    "train": kill_train,
    "train attached": kill_attached_train,
    "resume": kill_resume,
    "stop": kill_stop,
    "rm": kill_rm,
    "checkpoint cleanup": kill_cleanup,
}


def delays(command: str, count: int) -> list[float]:
    """Spread over the life of a command, and by chance within each share; the same each time."""
    chance = random.Random(command)
    return [LONGEST_S * (index + chance.random()) / count for index in range(count)]


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("command", KILLS)
def test_killed_command_is_typed_again(scene: Scene, command: str, trial: int) -> None:
    scene.write("slow.py", SLOW)
    KILLS[command](scene, delays(command, TRIALS)[trial])
    check_nothing_is_left_running(scene)


@pytest.mark.soak
@pytest.mark.parametrize("trial", range(SOAK_TRIALS))
@pytest.mark.parametrize("command", KILLS)
def test_killed_command_is_typed_again_at_every_moment(
    scene: Scene, command: str, trial: int
) -> None:
    scene.write("slow.py", SLOW)
    KILLS[command](scene, delays(f"{command} soak", SOAK_TRIALS)[trial])
    check_nothing_is_left_running(scene)


def test_launch_that_was_cut_short_after_its_spec_is_finished(scene: Scene) -> None:
    scene.write("slow.py", SLOW)
    words = ("train", "--detach", "--name", "mine", "slow.py")
    assert scene.type(*words).returncode == 0
    run_id = the_one_run(scene)
    scene.type("stop", "--now", run_id)
    scene.wait_for("its end", lambda: not scene.survivors())
    for path in scene.run_folder(run_id).iterdir():  # as a kill before the claim leaves it
        if path.is_dir():
            shutil.rmtree(path)
    shutil.rmtree(scene.attempt(run_id))
    assert scene.type(*words).returncode == 0
    assert the_one_run(scene) == run_id
    let_go(scene, run_id)
    assert scene.wait(run_id) == 0


def test_removal_that_was_cut_short_is_not_listed_and_is_finished(scene: Scene) -> None:
    scene.write("slow.py", SLOW)
    removed, kept = scene.launch("slow.py"), scene.launch("slow.py")
    for run_id in (removed, kept):
        let_go(scene, run_id)
        assert scene.wait(run_id) == 0
    assert len(listed(scene)) == 2
    (scene.run_folder(removed) / "spec.json").unlink()  # as a kill of rm leaves it
    assert [run["run_id"] for run in listed(scene)] == [kept]
    assert scene.type("status", removed).returncode == 4
    assert scene.type("rm", "--yes", removed).returncode in (0, 4)
    assert scene.type("rm", "--yes", kept).returncode == 0
    assert not list((scene.ledger / "runs").glob("*")), "records are left for ever"
