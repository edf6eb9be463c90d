"""Several runs on one machine: side by side, unless they claim the same GPUs."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from tests.scene import Scene, is_alive

WAITING = """
import os, time
from pathlib import Path
print("at work on", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
while not Path(os.environ["RUNCTL_OUTPUT_DIR"], "go").exists():
    time.sleep(0.02)
"""


def start(scene: Scene, *options: str) -> str:
    run_id = scene.launch(*options, "waiting.py")
    scene.wait_for_output(run_id, b"at work")
    return run_id


def let_go(scene: Scene, run_id: str) -> None:
    Path(scene.outputs(run_id), "go").touch()


def test_two_runs_go_on_side_by_side(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    runs = [start(scene), start(scene, "--gpus", "0"), start(scene, "--gpus", "1")]
    assert scene.output(runs[1]) == b"at work on 0\n"
    assert scene.output(runs[2]) == b"at work on 1\n"
    for run_id in runs:
        let_go(scene, run_id)
    assert [scene.wait(run_id) for run_id in runs] == [0, 0, 0]


def test_second_claim_of_a_gpu_is_refused_and_leaves_nothing(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0,1")
    scene.env["TOKEN"] = "a-secret-value"
    words = ("train", "--detach", "--gpus", "1", "--secret", "TOKEN", "waiting.py")
    done = scene.type(*words, "--output", "json")
    assert done.returncode == 5
    assert holder in done.stdout.decode() + done.stderr.decode(), "the holder is not named"
    assert [path.name for path in (scene.ledger / "runs").iterdir()] == [holder]
    files = [p for p in scene.home.rglob("*") if p.is_file() and p.stat().st_size < 10**6]
    assert not [p for p in files if b"a-secret-value" in p.read_bytes()], "a secret was left"
    let_go(scene, holder)
    assert scene.wait(holder) == 0
    assert scene.type(*words).returncode == 0, "the lock outlived its holder"


def test_queued_run_waits_and_then_runs(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0")
    # The time in the queue is not the run's: it would be over before it began.
    queued = scene.launch("--gpus", "0", "--queue", "--max-time", "3s", "waiting.py")
    scene.wait_for_phase(queued, "queue")
    time.sleep(3.2)
    assert scene.output(queued) == b""
    let_go(scene, holder)
    assert scene.wait(holder) == 0
    scene.wait_for_output(queued, b"at work on 0")
    let_go(scene, queued)
    assert scene.wait(queued) == 0


def test_queued_run_can_be_stopped(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0")
    queued = scene.launch("--gpus", "0", "--queue", "waiting.py")
    scene.wait_for_phase(queued, "queue")
    assert scene.type("stop", queued).returncode in (0, 24)
    assert scene.wait(queued) == 24
    assert scene.output(queued) == b""
    assert "reaper" not in scene.pids(queued)
    let_go(scene, holder)
    assert scene.wait(holder) == 0


def test_agent_of_a_queued_run_may_be_killed(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0")
    queued = scene.launch("--gpus", "0", "--queue", "waiting.py")
    scene.wait_for_phase(queued, "queue")
    scene.kill(queued, "agent")
    let_go(scene, holder)
    scene.wait_for_output(queued, b"at work on 0")
    let_go(scene, queued)
    assert scene.wait(queued) == 0


def test_queued_run_whose_reaper_is_killed_is_lost(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0")
    queued = scene.launch("--gpus", "0", "--queue", "waiting.py")
    scene.wait_for_phase(queued, "queue")
    scene.kill(queued, "reaper")
    assert scene.wait(queued) == 21
    scene.wait_for("the end of its agent", lambda: not scene.pids(queued))
    let_go(scene, holder)
    assert scene.wait(holder) == 0


def test_lock_goes_with_the_processes_of_its_holder(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    holder = start(scene, "--gpus", "0")
    pids = scene.pids(holder)
    for name in ("reaper", "agent", "command"):
        os.kill(pids[name], signal.SIGKILL)
    scene.wait_for("the end of the holder", lambda: not any(map(is_alive, pids.values())))
    second = start(scene, "--gpus", "0")
    let_go(scene, second)
    assert scene.wait(second) == 0
    assert scene.wait(holder) == 21


def test_resume_that_finds_its_gpu_taken_can_be_typed_again(scene: Scene) -> None:
    scene.write("waiting.py", WAITING)
    first = start(scene, "--gpus", "0")
    scene.type("stop", "--now", first)
    assert scene.wait(first) == 24
    holder = start(scene, "--gpus", "0")
    done = scene.type("resume", "--detach", first)
    assert done.returncode == 5
    assert holder.encode() in done.stderr
    let_go(scene, holder)
    assert scene.wait(holder) == 0
    assert scene.type("resume", "--detach", first).returncode == 0
    number = len(list((scene.run_folder(first) / "attempts").iterdir()))
    scene.wait_for_output(first, b"at work on 0", attempt=number)
    Path(scene.outputs(first, number), "go").touch()
    assert scene.wait(first) == 0
    status = json.loads(scene.type("status", first, "--output", "json").stdout)
    assert status["state"] == "succeeded"
