"""A spot instance is taken back, at the worst of times: what is lost, and that it is told.

On the local cloud alone, where an interruption can be ordered. One tier is enough: what is tested
goes on on the instance, and here.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.trainee import LIVING, PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
TYPE = "m5.large"
NOTICE_S = 20.0
SIGNALLED_S = 2.0
"""From the notice to the signal, at most: what is promised."""
KNOWN_S = 5.0
"""From the provider's word that an instance has ended to ours, at most, to who follows its run."""
RENTED = ("--on", f"aws:{TYPE}", "--spot", "--yes", "--no-install")
STEPS = 60
SCRIPT = """\
import hashlib, json, os, signal, sys, time
last, is_aware = int(sys.argv[1]), sys.argv[2] == "aware"
here, heard = os.environ["RUNCTL_CHECKPOINT_DIR"], []
if is_aware:
    signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
state = {"step": 0, "weights": "0"}
if "RUNCTL_RESUME_FROM" in os.environ:
    with open(os.environ["RUNCTL_RESUME_FROM"]) as file:
        state = json.load(file)
print("from step", state["step"], flush=True)
def save():
    with open(os.path.join(here, "new"), "w") as file:
        json.dump(state, file)
    os.replace(os.path.join(here, "new"), os.path.join(here, "last.json"))
while state["step"] < last:
    time.sleep(0.2)
    state["step"] += 1
    state["weights"] = hashlib.sha256(state["weights"].encode()).hexdigest()
    print(json.dumps({"step": state["step"]}), flush=True)
    if heard:
        save()
        sys.exit(0)
    if state["step"] % 10 == 0:
        save()
with open(os.path.join(os.environ["RUNCTL_OUTPUT_DIR"], "weights"), "w") as file:
    file.write(state["weights"])
"""


def undisturbed() -> str:
    """Return the weights of a training that nothing disturbs."""
    weights = "0"
    for _ in range(STEPS):
        weights = hashlib.sha256(weights.encode()).hexdigest()
    return weights


def bodies(user: Trainee, run_id: str, attempt: int, kind: str) -> list[dict[str, Any]]:
    """Return what the ledger has of a kind, with its time, from S3 itself."""
    events = user.records(f"runs/{run_id}/events/{attempt:04d}/")
    return [one | one["body"] for one in events if one["body"]["type"] == kind]


def weights_of(user: Trainee, run_id: str) -> str:
    folder = user.home / f"outputs-{run_id}"
    user.told("pull", run_id, "--into", str(folder))
    return (folder / "weights").read_text()


def interrupt(user: Trainee, cloud: Cloud, is_time: Callable[[], object]) -> float:
    """Take the one instance back, once it is time; return when that was ordered, as time.time()."""
    if cloud.control is None:
        pytest.skip("an interruption is ordered from the local cloud alone")
    user.wait_for("the time for an interruption", is_time)
    [ident] = [str(one["InstanceId"]) for one in user.instances("running")]
    ordered_at = time.time()
    cloud.control.control("POST", "interrupt", {"instance": ident, "notice_s": NOTICE_S})
    return ordered_at


def check_told(user: Trainee, run_id: str, ordered_at: float) -> dict[str, Any]:
    """Check that the notice was heard at once, and the end told; return the end."""
    [noticed] = bodies(user, run_id, 1, "interruption_noticed")
    [stopped] = bodies(user, run_id, 1, "stop_begun")
    took_s = datetime.fromisoformat(stopped["at"]).timestamp() - ordered_at
    (user.home.parent / "notice-to-signal-s").write_text(f"{took_s:.2f}\n")
    assert took_s <= SIGNALLED_S
    [end] = bodies(user, run_id, 1, "attempt_ended")
    assert end["cause"] == "interrupted"
    assert datetime.fromisoformat(end["at"]) < datetime.fromisoformat(noticed["ends_at"])
    return end


def test_what_hears_the_notice_loses_nothing(trainee: Trainee, cloud: Cloud) -> None:
    """It exits with 0 for it was asked to: that is no success. Two at once go on with it, once."""
    trainee.write("steps.py", SCRIPT)
    words = (*RENTED, "--retries", "1", "--retry-on", "interruption", "--detach")
    run_id = trainee.ident("train", "steps.py", *words, "--", str(STEPS), "aware")
    ordered_at = interrupt(trainee, cloud, lambda: trainee.committed_files(run_id))
    assert trainee.type("wait", run_id, timeout_s=PATIENCE_S).returncode == 21
    end = check_told(trainee, run_id, ordered_at)
    assert end["last_step"] == end["durable_step"] > 10
    [exited] = bodies(trainee, run_id, 1, "command_exited")
    assert exited["exit"]["status"] == 0
    assert json.loads(trainee.committed_files(run_id)[-1]["last.json"])["step"] == end["last_step"]
    first = trainee.type_in_background("reconcile", "--yes")
    second = trainee.type("reconcile", "--yes", timeout_s=PATIENCE_S)
    assert (first.wait(PATIENCE_S), second.returncode) == (0, 0), second.stderr.decode()
    assert trainee.told("reconcile", "--yes") == []
    check_end(trainee, run_id, end["last_step"])
    assert trainee.told("report", run_id)["steps_redone"] == 0


def test_what_does_not_loses_no_more_than_since_its_last_checkpoint(
    trainee: Trainee, cloud: Cloud
) -> None:
    """The command that follows the run goes on with it, and ends as the second attempt does."""
    trainee.write("steps.py", SCRIPT)
    words = (*RENTED, "--retries", "1", "--name", "mine", "--", str(STEPS), "plain")
    with trainee.typing("train", "steps.py", *words) as typed:
        trainee.wait_for("the run", trainee.run_ids)
        [run_id] = trainee.run_ids()
        ordered_at = interrupt(trainee, cloud, lambda: trainee.committed_files(run_id))
        _, told = typed.communicate(timeout=PATIENCE_S)
    assert typed.returncode == 0, told.decode()
    assert b"attempt 1: interrupted; going on with attempt 2" in told
    end = check_told(trainee, run_id, ordered_at)
    assert 0 <= end["last_step"] - end["durable_step"] <= 10
    check_end(trainee, run_id, end["durable_step"])
    report = trainee.told("report", run_id)
    assert report["steps_redone"] == end["last_step"] - end["durable_step"]
    assert [one["state"] for one in report["attempts"]] == ["interrupted", "succeeded"]


def test_an_instance_that_ends_without_a_word_is_known_at_once(
    trainee: Trainee, cloud: Cloud
) -> None:
    """Nothing on it is asked: it is killed, and who follows the run goes on at once."""
    trainee.write("steps.py", SCRIPT)
    words = (*RENTED, "--retries", "1", "--", str(STEPS), "plain")
    with trainee.typing("train", "steps.py", *words) as typed:
        trainee.wait_for("the run", trainee.run_ids)
        [run_id] = trainee.run_ids()
        trainee.wait_for("a checkpoint", lambda: trainee.committed_files(run_id))
        [ident] = [str(one["InstanceId"]) for one in trainee.instances("running")]
        trainee.ec2.terminate_instances(InstanceIds=[ident])
        trainee.wait_for("the provider's word", lambda: trainee.instances("terminated"))
        ended_at = time.monotonic()
        assert typed.stderr is not None
        lines = iter(typed.stderr.readline, b"")
        assert any(b"attempt 1: lost; going on with attempt 2" in line for line in lines)
        took_s = time.monotonic() - ended_at
        (trainee.home.parent / "known-s").write_text(f"{took_s:.2f}\n")
        assert took_s <= KNOWN_S
        typed.communicate(timeout=PATIENCE_S)
    assert typed.returncode == 0
    assert weights_of(trainee, run_id) == undisturbed()
    trainee.wait_for("the end of both instances", lambda: not trainee.instances(*LIVING))
    trainee.check_nothing_is_left()


def check_end(user: Trainee, run_id: str, step: int) -> None:
    """Check that attempt 2 went on from a step, to the very end of an undisturbed training."""
    assert user.type("wait", run_id, timeout_s=PATIENCE_S).returncode == 0
    [resumed] = bodies(user, run_id, 2, "resume_chosen")
    assert resumed["step"] == step
    assert weights_of(user, run_id) == undisturbed()
    assert len(user.records(f"runs/{run_id}/attempts/")) == 2
    assert len(user.instances()) == 2
    user.wait_for("the end of both instances", lambda: not user.instances(*LIVING))
    user.check_nothing_is_left()
