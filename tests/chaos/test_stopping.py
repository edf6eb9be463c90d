"""Ending a run: SIGTERM to the training itself, grace, SIGKILL; and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scene import Scene, is_alive

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("heard it", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.02)
"""
SAVING = """
import json, os, signal, sys, time
from pathlib import Path

heard = []

def save(number, _):
    heard.append(number)
    place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"], "saved.json")
    place.with_suffix(".tmp").write_text(json.dumps({"step": 7, "pid": os.getpid()}))
    place.with_suffix(".tmp").replace(place)
    time.sleep(0.3)  # a second signal would be heard in this time
    print(f"saved after {len(heard)} signals", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True:
    time.sleep(0.02)
"""
DAEMONS = """
import os, signal, sys, time
from pathlib import Path

def become_daemon(name, ignores):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    if ignores:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: (Path(f"{name}.heard").touch(), os._exit(0)))
    os.chdir(os.environ["RUNCTL_OUTPUT_DIR"])
    Path(f"{name}.part").write_text(str(os.getpid()))
    Path(f"{name}.part").rename(f"{name}.pid")
    while True:
        time.sleep(0.02)

become_daemon("polite", False)
become_daemon("stubborn", True)
out = Path(os.environ["RUNCTL_OUTPUT_DIR"])
while len(list(out.glob("*.pid"))) < 2:
    time.sleep(0.01)
print("the training is over", flush=True)
"""


def launch_until_ready(scene: Scene, script: str, *options: str) -> str:
    run_id = scene.launch("--grace", "1s", *options, script)
    scene.wait_for_output(run_id, b"ready")
    scene.wait_for_event(run_id, "command_started")
    return run_id


def test_script_that_ignores_sigterm_is_killed_when_its_grace_is_over(scene: Scene) -> None:
    scene.write("stubborn.py", STUBBORN)
    run_id = launch_until_ready(scene, "stubborn.py")
    command = scene.pids(run_id)["command"]
    assert scene.type("stop", run_id).returncode in (0, 24)
    assert scene.wait(run_id) == 24
    assert b"heard it" in scene.output(run_id), "SIGTERM never came"
    assert scene.exit_record(run_id)["signal"] == 9
    assert scene.attempt_end(run_id)["cause"] == "stop"
    assert not is_alive(command)


def test_stop_now_does_not_ask_first(scene: Scene) -> None:
    scene.write("stubborn.py", STUBBORN)
    run_id = scene.launch("--grace", "1h", "stubborn.py")
    scene.wait_for_output(run_id, b"ready")
    assert scene.type("stop", "--now", run_id).returncode in (0, 24)
    assert scene.wait(run_id) == 24
    assert b"heard it" not in scene.output(run_id)
    assert scene.exit_record(run_id)["signal"] == 9


def test_stop_now_overtakes_a_stop_that_is_waiting(scene: Scene) -> None:
    scene.write("stubborn.py", STUBBORN)
    run_id = scene.launch("--grace", "1h", "stubborn.py")
    scene.wait_for_output(run_id, b"ready")
    patient = scene.type_in_background("stop", run_id)
    scene.wait_for_output(run_id, b"heard it")
    assert scene.type("stop", "--now", run_id).returncode in (0, 24)
    assert scene.wait(run_id) == 24
    patient.wait(timeout=30)


def test_first_sigterm_reaches_the_training_itself_and_once(scene: Scene) -> None:
    scene.write("saving.py", SAVING)
    run_id = launch_until_ready(scene, "saving.py", "--retries", "3")
    command = scene.pids(run_id)["command"]
    assert scene.type("stop", run_id).returncode in (0, 24)
    assert b"saved after 1 signals" in scene.output(run_id)
    [manifest] = scene.manifests(run_id)
    assert json.loads(scene.committed(manifest)["saved.json"]) == {"step": 7, "pid": command}
    assert scene.wait(run_id) == 24
    assert not (scene.run_folder(run_id) / "attempts" / "0002.json").exists(), "it was retried"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_child_of_a_shell_wrapper_saves_before_it_ends(scene: Scene, shell: str) -> None:
    """The shell dies of SIGTERM at once; its child still gets its own, and the whole grace."""
    scene.write("saving.py", SAVING)
    scene.write("wrapper.sh", f"#!/usr/bin/env {shell}\npython3 saving.py\necho done\n")
    run_id = scene.launch("--grace", "20s", "wrapper.sh")
    scene.wait_for_output(run_id, b"ready")
    assert scene.type("stop", run_id).returncode in (0, 24)
    assert b"saved after 1 signals" in scene.output(run_id)
    [manifest] = scene.manifests(run_id)
    assert json.loads(scene.committed(manifest)["saved.json"])["step"] == 7
    assert scene.wait(run_id) == 24


def test_daemons_are_ended_with_the_run_which_succeeds(scene: Scene) -> None:
    scene.write("daemons.py", DAEMONS)
    run_id = scene.launch("--grace", "1s", "daemons.py")
    assert scene.wait(run_id) == 0
    daemons = {p.stem: int(p.read_text()) for p in scene.outputs(run_id).glob("*.pid")}
    assert daemons.keys() == {"polite", "stubborn"}
    assert not any(map(is_alive, daemons.values())), "a daemon outlived its run"
    assert Path(scene.outputs(run_id), "polite.heard").exists(), "it was killed without being asked"
    record = scene.exit_record(run_id)
    assert (record["status"], record["leftover_processes"]) == (0, 2)


def test_stop_while_the_training_has_daemons_ends_them_too(scene: Scene) -> None:
    scene.write("daemons.py", DAEMONS + "while True:\n    time.sleep(0.02)\n")
    run_id = scene.launch("--grace", "1s", "daemons.py")
    scene.wait_for_output(run_id, b"the training is over")
    assert scene.type("stop", run_id).returncode in (0, 24)
    daemons = [int(p.read_text()) for p in scene.outputs(run_id).glob("*.pid")]
    assert len(daemons) == 2
    assert not any(map(is_alive, daemons))
    assert scene.wait(run_id) == 24
