"""The scenario that is the seed of it all: create, train, monitor, terminate, as a user types it.

Through the installed ``runctl`` alone, on both tiers of the local cloud, over Systems Manager and
over SSH. The same file runs on AWS with ``--cloud=aws``.
"""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.trainee import LIVING, PATIENCE_S, Trainee

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TYPE = "m5.large"
TRAINING = ("train.py", "--hyperparams", "epochs=2,checkpoint_every=30,log_every=15")
LAST_STEP = 90
BY_ITSELF = "Client.InstanceInitiatedShutdown"
ROOT = pytest.mark.parametrize("cloud", ["root"], indirect=True)
"""What goes on on the instance is the same on each tier: once is enough."""
FAILING = """\
import sys
for number in range(50):
    print("line", number, flush=True)
print("it cannot be", file=sys.stderr)
sys.exit(7)
"""
STEPS = """\
import os, sys, time
folder = os.environ["RUNCTL_CHECKPOINT_DIR"]
for step in range(1, int(sys.argv[1]) + 1):
    time.sleep(0.2)
    with open(os.path.join(folder, "new"), "w") as file:
        file.write(f'{{"step": {step}}}')
    os.replace(os.path.join(folder, "new"), os.path.join(folder, "last.json"))
print("done", flush=True)
"""
KILLS_S = (0.4, 0.8, 1.2, 1.7, 2.3, 3.0, 4.0, 5.5, 7.5)
"""From before the offers are looked for until the script runs: each kills what is typed anew."""


@contextmanager
def reached(user: Trainee, way: str) -> Iterator[tuple[str, ...]]:
    """Give the options of an instance that is reached that way."""
    if way == "ssm":
        yield ()
        return
    with user.over_ssh() as pair:
        yield ("--key-name", pair)


@pytest.mark.parametrize("way", ["ssm", "ssh"])
def test_create_train_monitor_terminate(trainee: Trainee, way: str) -> None:
    trainee.bring_digits()
    with reached(trainee, way) as options:
        ident = trainee.ident(
            "aws", "create", TYPE, "--spot", "--ttl", "1h", "--wait", "--yes", *options
        )
        check_launched(trainee, ident)
        run_id = trainee.ident("aws", "train", ident, *TRAINING, "--", "--step-delay=0.01")
        check_monitored(trainee, ident)
        check_checkpoints(trainee, run_id)
        check_status(trainee, run_id)
        assert trainee.ident("aws", "terminate", ident, "--yes") == ident
    trainee.check_nothing_is_left()


def check_launched(user: Trainee, ident: str) -> None:
    [found] = user.instances()
    assert (found["InstanceId"], found["InstanceLifecycle"]) == (ident, "spot")
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert [one["instance_id"] for one in user.told("aws", "list")] == [ident]


def check_monitored(user: Trainee, ident: str) -> None:
    """The same log as text and as JSON; both end as the run does."""
    text = user.type("aws", "monitor", ident, "-f", timeout_s=PATIENCE_S)
    assert text.returncode == 0, text.stdout + text.stderr
    assert b'"final_accuracy"' in text.stdout
    told = user.type("aws", "monitor", ident, "-f", "-o", "json", timeout_s=PATIENCE_S)
    assert told.returncode == 0
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    log = "".join(line["text"] for line in lines if line["type"] == "log")
    assert log.encode() == text.stdout
    assert (lines[-1]["type"], lines[-1]["state"]) == ("run", "succeeded")


def check_checkpoints(user: Trainee, run_id: str) -> None:
    """All are listed and verified; the last is in S3, whole, and says its step itself."""
    listed = user.told("checkpoint", "list", run_id)
    assert [one["step"] for one in listed] == [30, 60, LAST_STEP]
    verified = user.told("checkpoint", "verify", run_id, "--deep")
    assert {one["verdict"] for one in verified} == {"good"}
    files = user.committed_files(run_id)
    assert len(files) == len(listed)
    names = {name for each in files for name in each}
    assert names == {f"step-{step:06}.npz" for step in (30, 60, LAST_STEP)}
    for each in files:
        for data in each.values():
            assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def check_status(user: Trainee, run_id: str) -> None:
    told = user.told("status", run_id)
    assert (told["state"], told["exit_status"], told["durable_step"]) == ("succeeded", 0, LAST_STEP)
    assert float(told["cost_usd"]) > 0
    assert user.type("wait", run_id).returncode == 0


def test_one_command_rents_trains_and_ends(trainee: Trainee) -> None:
    trainee.write("steps.py", STEPS)
    words = ("--on", f"aws:{TYPE}", "--spot", "--yes", "--no-install", "--", "10")
    done = trainee.type("workflow", "train", "steps.py", *words, timeout_s=PATIENCE_S)
    assert (done.returncode, done.stdout) == (0, b"done\n"), done.stderr.decode()
    assert b"an hour" in done.stderr
    assert b"about $" in done.stderr
    trainee.check_nothing_is_left()
    assert [one["StateReason"]["Code"] for one in trainee.instances()] == [BY_ITSELF]


@ROOT
def test_nobody_has_to_be_there_for_the_end(trainee: Trainee) -> None:
    """The command line has gone before the script ends, and is not typed again."""
    trainee.write("steps.py", STEPS)
    words = ("--on", f"aws:{TYPE}", "--yes", "--no-install", "--detach", "--", "20")
    run_id = trainee.ident("train", "steps.py", *words)
    assert len(trainee.instances("running")) == 1
    trainee.wait_for("the end of the instance", lambda: not trainee.instances(*LIVING))
    assert [one["StateReason"]["Code"] for one in trainee.instances()] == [BY_ITSELF]
    trainee.check_nothing_is_left()
    assert trainee.told("status", run_id)["state"] == "succeeded"
    assert trainee.committed_files(run_id)[-1]["last.json"] == b'{"step": 20}'


def test_a_failing_script_ends_the_instance_too(trainee: Trainee) -> None:
    trainee.write("failing.py", FAILING)
    words = ("train", "failing.py", "--on", f"aws:{TYPE}", "--yes", "--no-install")
    done = trainee.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 20, done.stderr.decode()
    assert done.stdout.decode().splitlines()[-2:] == ["line 49", "it cannot be"]
    assert "exited with status 7" in done.stderr.decode()
    trainee.check_nothing_is_left()


@ROOT
def test_a_failing_script_keeps_the_instance_where_it_is_asked_to(trainee: Trainee) -> None:
    trainee.write("failing.py", FAILING)
    words = ("train", "failing.py", "--on", f"aws:{TYPE}", "--yes", "--no-install", "--keep")
    done = trainee.type(*words, "-o", "json", timeout_s=PATIENCE_S)
    assert done.returncode == 20
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["error"]["code"], last["error"]["details"]["status"]) == ("command-failed", 7)
    [kept] = trainee.instances(*LIVING)
    assert kept["State"]["Name"] == "running"
    trainee.told("aws", "terminate", kept["InstanceId"], "--yes")
    trainee.check_nothing_is_left()


def test_killed_in_every_phase_and_typed_again(trainee: Trainee) -> None:
    """One instance, one run, one end, however often the command line is killed."""
    trainee.write("steps.py", STEPS)
    options = ("--on", f"aws:{TYPE}", "--spot", "--yes", "--no-install")
    words = ("train", "steps.py", *options, "--", "250")
    for delay_s in KILLS_S:
        kill_after(trainee, delay_s, *words)
    done = trainee.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.endswith(b"done\n")
    assert len(trainee.run_ids()) == 1
    assert len(trainee.instances()) == 1
    trainee.check_nothing_is_left()


def kill_after(user: Trainee, delay_s: float, *words: str) -> None:
    typed = user.type_in_background(*words)
    try:
        typed.wait(delay_s)
    except subprocess.TimeoutExpired:
        typed.send_signal(signal.SIGKILL)
        typed.wait()
    else:
        raise AssertionError(f"it was over within {delay_s} s, with {typed.returncode}")


@ROOT
def test_interrupted_and_resumed_it_ends_as_if_left_alone(trainee: Trainee, cloud: Cloud) -> None:
    if cloud.control is None:
        pytest.skip("an interruption is ordered from the local cloud alone")
    trainee.bring_digits()
    words = (*TRAINING, "--on", f"aws:{TYPE}", "--spot", "--yes")
    alone = trainee.ident("train", *words, "--name", "alone", "--detach")
    cut = trainee.ident("train", *words, "--name", "cut", "--detach", "--", "--step-delay=0.2")
    trainee.wait_for("a checkpoint", lambda: trainee.committed_files(cut))
    [ident] = [one["InstanceId"] for one in trainee.instances() if is_of(one, cut)]
    cloud.control.control("POST", "interrupt", {"instance": ident, "notice_s": 20})
    assert trainee.type("wait", cut, timeout_s=PATIENCE_S).returncode == 21
    assert trainee.type("resume", cut, "--yes", timeout_s=PATIENCE_S).returncode == 0
    assert trainee.type("wait", alone, timeout_s=PATIENCE_S).returncode == 0
    assert weights(trainee, cut) == weights(trainee, alone)
    report = trainee.told("report", cut)
    assert (report["attempts"][0]["state"], report["steps_redone"]) == ("interrupted", 0)
    trainee.check_nothing_is_left()


def is_of(instance: dict[str, object], run_id: str) -> bool:
    return {"Key": "runctl:run", "Value": run_id} in instance["Tags"]  # type: ignore[operator]


def weights(user: Trainee, run_id: str) -> str:
    """Return the digest of the final weights."""
    folder = user.home / f"outputs-{run_id}"
    user.told("pull", run_id, "--into", str(folder))
    return hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()
