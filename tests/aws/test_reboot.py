"""An instance that reboots in the middle of a training; nobody types anything after that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.kept import Kept, image_with_systemd
from tests.cloud_instances import Rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE_S = 150.0
STEPS = 40
TRAINING = """\
import json, os, signal, sys, time
path = os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "last.json")
step = 0
if "RUNCTL_RESUME_FROM" in os.environ:
    step = json.load(open(os.environ["RUNCTL_RESUME_FROM"]))["step"]
print("from step", step, os.environ["SECRET"], flush=True)

def save(*_):
    with open(path + ".new", "w") as file:
        json.dump({"step": step}, file)
    os.replace(path + ".new", path)
    print("saved", step, flush=True)

def leave(*_):
    save()
    sys.exit(1)

signal.signal(signal.SIGTERM, leave)
while step < int(sys.argv[1]):
    time.sleep(0.15)
    step += 1
    if step % 5 == 0:
        save()
print("done", flush=True)
"""


@pytest.fixture
def booted(rig: Rig, in_s3: BucketScene) -> Iterator[str]:
    """An instance of the user's own without systemd."""
    yield from _launched(rig, in_s3)


@pytest.fixture
def systemd(rig: Rig, in_s3: BucketScene) -> Iterator[str]:
    """An instance of the user's own whose process 1 is systemd."""
    if rig.cloud.ready["tier"] != "root":
        pytest.skip("declared: only the root tier boots systemd")
    yield from _launched(rig, in_s3, ImageId=image_with_systemd(rig))


def _launched(rig: Rig, user: BucketScene, **parameters: Any) -> Iterator[str]:
    role, iam, ec2 = rig.world.profile, rig.world.client("iam"), rig.world.client("ec2")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=user.rights())
    owner = json.loads(user.type("init", "--output", "json").stdout)["owner"]
    ident = rig.launch(IamInstanceProfile={"Name": role}, **parameters)
    ec2.create_tags(Resources=[ident], Tags=[{"Key": "runctl:owner", "Value": owner}])
    rig.await_online(ident)
    yield ident
    ec2.terminate_instances(InstanceIds=[ident])
    iam.delete_role_policy(RoleName=role, PolicyName="ledger")


def _started(user: BucketScene, instance: str, *options: str) -> str:
    user.write(".runctl.toml", '[checkpoint]\nsettle = "0s"\ninterval = "1s"\n')
    user.write("training.py", TRAINING)
    user.env["SECRET"] = "only-once"
    words = ("training.py", "--secret", "SECRET", "--no-install", *options, "-o", "id")
    done = user.type("aws", "train", instance, *words, "--", str(STEPS), timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def _await(user: BucketScene, run_id: str, attempt: int, kind: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := user.bodies(run_id, kind, attempt)):
        assert time.monotonic() < deadline, user.events(run_id, attempt)
        time.sleep(0.3)
    return found


def _check_it_goes_on(rig: Rig, user: BucketScene, instance: str, run_id: str) -> None:
    rig.world.client("ec2").reboot_instances(InstanceIds=[instance])
    [end] = _await(user, run_id, 1, "attempt_ended")
    assert end["cause"] == "lost"
    [resumed] = _await(user, run_id, 2, "resume_chosen")
    assert resumed["step"] == end["last_step"] == end["durable_step"]
    [last] = _await(user, run_id, 2, "attempt_ended")
    assert last["cause"] == "exit"
    assert user.wait(run_id) == 0
    assert user.type("logs", run_id).stdout.endswith(b"done\n")


def test_a_run_goes_on_by_itself(rig: Rig, systemd: str, in_s3: BucketScene) -> None:
    run_id = _started(in_s3, systemd, "--retries", "1")
    [begun] = _await(in_s3, run_id, 1, "command_started")
    group = Kept(rig, systemd, 0.0).sh(f"cat /proc/{begun['pid']}/cgroup")
    assert f"/runctl-{run_id}-1-" in group  # not that of the agent of Systems Manager
    _await(in_s3, run_id, 1, "checkpoint_committed")
    _check_it_goes_on(rig, in_s3, systemd, run_id)


def test_it_does_without_systemd(rig: Rig, booted: str, in_s3: BucketScene) -> None:
    """The second run is not retried: what it had saved is stored, and its end is told."""
    run_id = _started(in_s3, booted, "--retries", "1")
    _await(in_s3, run_id, 1, "checkpoint_committed")
    _check_it_goes_on(rig, in_s3, booted, run_id)
    run_id = _started(in_s3, booted)
    _await(in_s3, run_id, 1, "checkpoint_committed")
    rig.world.client("ec2").reboot_instances(InstanceIds=[booted])
    [end] = _await(in_s3, run_id, 1, "attempt_ended")
    assert (end["cause"], end["durable_step"]) == ("lost", end["last_step"])
    assert in_s3.wait(run_id) == 21
    assert in_s3.type("resume", run_id, "--detach", timeout_s=PATIENCE_S).returncode == 0
    assert in_s3.wait(run_id, PATIENCE_S) == 0
