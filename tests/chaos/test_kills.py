"""kill -9 of everything, in every phase: nothing committed is lost, the weights are the same."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.scene import Scene, final_weights, is_alive, undisturbed_weights

EPOCHS, EVERY = "4", "15"
ARGUMENTS = ("--epochs", EPOCHS, "--checkpoint-every", EVERY, "--hidden", "16")
SLOWLY = ("--step-delay", "0.04")


@pytest.fixture(scope="module")
def weights() -> str:
    return undisturbed_weights(*ARGUMENTS)


@pytest.fixture
def digits(scene: Scene) -> Scene:
    scene.use_digits()
    return scene


def start_training(scene: Scene, *options: str) -> str:
    return scene.launch(*options, "train.py", "--", *ARGUMENTS, *SLOWLY)


def wait_until_half_way(scene: Scene, run_id: str) -> None:
    scene.wait_for_event(run_id, "checkpoint_committed", count=3)


def exit_status_in_ledger(scene: Scene, run_id: str, attempt: int = 1) -> int | None:
    exits = scene.bodies(run_id, "command_exited", attempt)
    return exits[-1]["exit"]["status"] if exits else None


def test_undisturbed_run_has_the_same_weights_as_without_runctl(
    digits: Scene, weights: str
) -> None:
    run_id = digits.launch("train.py", "--", *ARGUMENTS)
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id)) == weights
    assert exit_status_in_ledger(digits, run_id) == 0


def test_killed_cli_leaves_the_run_alone(digits: Scene, weights: str) -> None:
    cli = digits.type_in_background(
        "train", "--name", "alone", "train.py", "--", *ARGUMENTS, *SLOWLY
    )
    digits.wait_for("the run", lambda: any((digits.ledger / "runs").glob("*/attempts/0001.json")))
    run_id = next((digits.ledger / "runs").iterdir()).name
    digits.wait_for_event(run_id, "command_started")
    os.kill(cli.pid, signal.SIGKILL)
    cli.wait()
    assert digits.type("wait", "alone").returncode == 0
    assert final_weights(digits.output(run_id)) == weights


@pytest.mark.parametrize("phase", ["code", "running", "uploading"])
def test_killed_agent_comes_back_and_the_run_goes_on(
    digits: Scene, weights: str, phase: str
) -> None:
    run_id = start_training(digits)
    digits.wait_for_phase(run_id, phase)
    digits.kill(run_id, "agent")
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id)) == weights
    assert len(digits.bodies(run_id, "attempt_ended")) == 1
    assert digits.type("checkpoint", "verify", run_id, "--deep").returncode == 0


def test_agent_killed_again_and_again_loses_no_checkpoint(digits: Scene, weights: str) -> None:
    run_id = start_training(digits)
    digits.wait_for_event(run_id, "command_started")
    for count in (1, 2, 3):
        digits.wait_for_event(run_id, "checkpoint_committed", count=count)
        digits.kill(run_id, "agent")
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id)) == weights
    names = [body["name"] for body in digits.bodies(run_id, "checkpoint_committed")]
    assert len(names) == len(set(names)), "a checkpoint was committed twice"
    written = {path.name for path in (digits.attempt(run_id) / "checkpoints").glob("*.npz")}
    assert set(names) == written


def test_killed_training_fails_by_name_and_resumes_to_the_same_weights(
    digits: Scene, weights: str
) -> None:
    run_id = start_training(digits)
    wait_until_half_way(digits, run_id)
    digits.kill(run_id, "command")
    done = digits.type("wait", run_id)
    assert done.returncode == 20
    assert b"SIGKILL" in done.stderr
    assert digits.type("resume", "--detach", run_id).returncode == 0
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id, 2)) == weights
    assert digits.bodies(run_id, "resume_chosen", 2)[0]["step"] >= 3 * int(EVERY)


def test_killed_training_is_retried_where_retries_are_left(digits: Scene, weights: str) -> None:
    run_id = start_training(digits, "--retries", "1")
    wait_until_half_way(digits, run_id)
    digits.kill(run_id, "command")
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id, 2)) == weights
    assert not (digits.run_folder(run_id) / "attempts" / "0003.json").exists()


def test_killed_reaper_is_a_lost_attempt_never_a_success(digits: Scene, weights: str) -> None:
    run_id = start_training(digits)
    digits.wait_for_event(run_id, "checkpoint_committed", count=1)
    command = digits.pids(run_id)["command"]
    digits.kill(run_id, "reaper")
    done = digits.type("wait", run_id)
    assert done.returncode == 21, done.stderr.decode()
    assert not is_alive(command), "the command outlived its reaper"
    assert digits.type("resume", "--detach", run_id).returncode == 0
    assert digits.type("wait", run_id).returncode == 0
    assert final_weights(digits.output(run_id, 2)) == weights


def test_all_killed_is_seen_as_lost_and_resumes_to_the_same_weights(
    digits: Scene, weights: str
) -> None:
    run_id = start_training(digits)
    wait_until_half_way(digits, run_id)
    digits.kill(run_id, "reaper", "agent", "command")
    status = json.loads(digits.type("status", run_id, "--output", "json").stdout)
    assert status["state"] == "lost"
    assert digits.type("wait", run_id).returncode == 21
    assert digits.type("resume", "--detach", run_id).returncode == 0
    assert digits.type("wait", run_id).returncode == 0
    number = len(list((digits.run_folder(run_id) / "attempts").iterdir()))
    assert final_weights(digits.output(run_id, number)) == weights


def test_checkpoint_written_but_not_committed_is_saved_when_all_were_killed(
    digits: Scene,
) -> None:
    run_id = start_training(digits)
    wait_until_half_way(digits, run_id)
    digits.kill(run_id, "agent", "reaper")
    digits.kill(run_id, "agent")
    digits.wait_for("the end of all", lambda: not digits.pids(run_id))
    newest = max(path.name for path in (digits.attempt(run_id) / "checkpoints").glob("*.npz"))
    assert digits.type("resume", "--detach", run_id).returncode == 0
    assert digits.type("wait", run_id).returncode == 0
    chosen = digits.bodies(run_id, "resume_chosen", 2)[0]
    assert chosen["step"] == int(newest.removeprefix("step-").removesuffix(".npz"))


@pytest.mark.parametrize("phase", ["code", "environment"])
def test_all_killed_before_the_command_goes_on_when_resumed(
    digits: Scene, weights: str, phase: str
) -> None:
    run_id = start_training(digits)
    digits.wait_for_phase(run_id, phase)
    for _ in range(3):  # an agent that was just started holds no lock yet by which it is found
        digits.kill(run_id, "agent", "reaper", "command")
        time.sleep(0.5)
    digits.wait_for("the end of all", lambda: not digits.pids(run_id))
    done = digits.type("resume", "--detach", run_id)
    assert done.returncode == 0, done.stderr.decode()
    assert digits.type("wait", run_id).returncode == 0
    number = len(list((digits.run_folder(run_id) / "attempts").iterdir()))
    assert final_weights(digits.output(run_id, number)) == weights


def test_stopped_training_saves_on_sigterm_and_resumes_without_losing_a_step(
    digits: Scene, weights: str
) -> None:
    run_id = start_training(digits)
    wait_until_half_way(digits, run_id)
    done = digits.type("stop", run_id)
    assert done.returncode in (0, 24), done.stderr.decode()
    assert digits.type("wait", run_id).returncode == 24
    lines = digits.output(run_id).splitlines()
    last_step = max(json.loads(line)["step"] for line in lines if b'"step"' in line)
    assert digits.type("resume", "--detach", run_id).returncode == 0
    assert digits.type("wait", run_id).returncode == 0
    assert digits.bodies(run_id, "resume_chosen", 2)[0]["step"] >= last_step
    assert final_weights(digits.output(run_id, 2)) == weights


def test_late_writer_of_a_superseded_attempt_changes_nothing(digits: Scene, weights: str) -> None:
    """A frozen attempt is thawed after its successor was claimed: it must end, and not count."""
    run_id = start_training(digits)
    wait_until_half_way(digits, run_id)
    pids = digits.pids(run_id)
    for name in ("reaper", "agent", "command"):
        os.kill(pids[name], signal.SIGSTOP)
    claim = {
        "schema": 1, "nonce": "test", "attempt": 2, "claimed_at": "2026-01-01T00:00:00Z",
        "instance": "local", "reason": "superseded by the test", "resume_from": None,
        "sealed_events": [], "sealed_manifests": [],
    }  # fmt: skip
    path = digits.run_folder(run_id) / "attempts" / "0002.json"
    path.write_text(json.dumps(claim), encoding="utf-8")
    for name in ("reaper", "agent", "command"):
        os.kill(pids[name], signal.SIGCONT)
    digits.wait_for("the superseded attempt to end", lambda: not is_alive(pids["command"]))
    digits.wait_for("its agent to end", lambda: not is_alive(pids["agent"]))
    time.sleep(0.1)
    status = json.loads(digits.type("status", run_id, "--output", "json").stdout)
    assert len(status["attempts"]) == 2
    assert status["attempts"][0]["checkpoint_count"] == 0, "an unsealed checkpoint was counted"
