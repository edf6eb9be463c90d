"""A run that goes on while commands come and go: wait, Ctrl-C, stop, resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests.cli.conftest import Golden, error_of
from tests.cli.projects import fill, only_run
from tests.scene import RUNCTL, Scene


@pytest.fixture
def project(scene: Scene) -> Scene:
    return fill(scene)


def test_the_waiting_ends_and_the_run_goes_on(project: Scene) -> None:
    done = project.type("train", "slow.py", "--name", "slow", "--wait-timeout", "1s")
    assert done.returncode == 75
    assert b"only the waiting is over" in done.stderr
    project.wait_for_output(only_run(project), b"begun")
    assert "command" in project.pids(only_run(project))
    assert project.type("wait", "slow", "--wait-timeout", "0s").returncode == 75


def test_the_waiting_of_the_settings_counts(project: Scene) -> None:
    env = {"RUNCTL_CONFIG_RUN_WAIT_TIMEOUT": "500ms"}
    assert project.type("train", "slow.py", env=env).returncode == 75


@pytest.mark.parametrize("words", [["train", "slow.py"], ["logs", "-f"], ["wait"]])
def test_ctrl_c_detaches_and_never_kills(project: Scene, words: list[str]) -> None:
    if words[0] != "train":
        project.launch("slow.py")
    with subprocess.Popen(
        [RUNCTL, *words], cwd=project.project, env=project.env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        project.wait_for("the run", lambda: list(project.ledger.glob("runs/*/spec.json")))
        run_id = only_run(project)
        project.wait_for_output(run_id, b"begun")
        time.sleep(0.5)  # it is now well within its loop
        os.killpg(process.pid, signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"runctl logs {run_id} -f" in messages.decode()
    assert f"runctl stop {run_id}" in messages.decode()
    assert b"Traceback" not in messages
    time.sleep(0.5)
    assert {"reaper", "agent", "command"} <= set(project.pids(run_id))


def test_a_reader_that_has_had_enough_detaches(project: Scene) -> None:
    project.write("chatty.py", "import time\nwhile True:\n  print('more')\n  time.sleep(.01)\n")
    command = f"'{RUNCTL}' local chatty.py --env PYTHONUNBUFFERED=1 | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"], cwd=project.project,
        env=project.env, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == b"more\n130\n"
    assert b"Traceback" not in done.stderr
    assert b"goes on" in done.stderr
    assert "command" in project.pids(only_run(project))


def test_stop_then_resume_from_the_checkpoint(project: Scene, golden: Golden) -> None:
    golden("train-failed", project.type("train", "steps.py", "--name", "steps"))
    golden("resume", project.type("resume", "steps"))
    golden("status-resumed", project.type("status", "steps"))
    assert project.type("logs", "steps", "--attempt", "1").stdout == b"from step 0\n"
    assert project.type("logs", "steps").stdout == b"from step 10\n"
    assert project.exit_record(only_run(project), 2)["status"] == 0


def test_resume_from_a_named_checkpoint(project: Scene) -> None:
    project.type("train", "steps.py", "--name", "steps")
    done = project.type("resume", "steps", "--from", "nothing-of-the-kind")
    assert done.returncode == 4
    assert project.type("resume", "steps", "--from", "last.json").stdout == b"from step 10\n"


def test_retries_are_followed(project: Scene) -> None:
    done = project.type("train", "steps.py", "--retries", "1")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"from step 0\nfrom step 10\n"
    assert b"runctl: attempt 2: resumes from 1/1 (step 10)" in done.stderr


def test_stop(project: Scene, golden: Golden) -> None:
    run_id = project.launch("slow.py", "--name", "slow")
    project.wait_for_output(run_id, b"begun")
    golden("stop", project.type("stop", "slow"))
    assert project.exit_record(run_id)["signal"] == signal.SIGTERM
    assert project.type("wait", "slow").returncode == 24


def test_stop_now(project: Scene) -> None:
    run_id = project.launch("slow.py")
    project.wait_for_output(run_id, b"begun")
    done = project.type("stop", "--now", "-o", "json")
    assert json.loads(done.stdout)["state"] == "stopped"
    assert project.exit_record(run_id)["signal"] == signal.SIGKILL


def test_an_active_run(project: Scene, golden: Golden) -> None:
    run_id = project.launch("slow.py", "--name", "slow")
    project.wait_for_output(run_id, b"begun")
    golden("resume-active", project.type("resume", "slow"))
    golden("rm-active", project.type("rm", "slow", "--yes"))
    assert error_of(project.type("rm", "slow", "--yes", "-o", "json"))["code"] == "run-active"
    assert project.run_folder(run_id).exists()
