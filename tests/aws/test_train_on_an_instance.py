"""``runctl train --on aws:i-…``: the installed command, an instance of the cloud, a look behind."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.aws.bucketscene import BucketScene
from tests.cli.projects import fill
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0


def test_a_script_runs_there_as_it_does_here(instance: str, in_s3: BucketScene) -> None:
    fill(in_s3)
    done = in_s3.type("train", "steps.py", "--on", f"aws:{instance}", timeout_s=PATIENCE_S)
    told = done.stderr.decode()
    assert done.returncode == 20, told
    assert b"from step 0" in done.stdout
    [run_id] = {key.split("/")[1] for key in in_s3.keys_of("runs/")}
    started = in_s3.bodies(run_id, "attempt_started")[0]
    assert started["folder"].startswith("/home/ec2-user/.runctl/instance/attempts/")
    [manifest] = in_s3.manifests(run_id)
    assert json.loads(in_s3.committed(manifest)["last.json"])["step"] == 10
    _go_on(in_s3, run_id)


def _go_on(in_s3: BucketScene, run_id: str) -> None:
    assert in_s3.type("resume", run_id, "--detach", timeout_s=PATIENCE_S).returncode == 0
    assert in_s3.wait(run_id, PATIENCE_S) == 0
    assert b"from step 10" in in_s3.type("logs", run_id).stdout
    checked = in_s3.type("checkpoint", "verify", run_id, "--deep", "--output", "json")
    assert checked.returncode == 0
    assert in_s3.type("rm", run_id, "--yes").returncode == 0
    assert in_s3.keys_of("runs/") == []


def test_an_instance_is_trained_on_and_monitored(
    rig: Rig, instance: str, in_s3: BucketScene
) -> None:
    fill(in_s3)
    done = in_s3.type("aws", "train", instance, "steps.py", "-o", "id", timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.decode().strip()
    seen = in_s3.type("aws", "monitor", instance, "-f", timeout_s=PATIENCE_S)
    assert (seen.returncode, b"from step 0" in seen.stdout) == (20, True), seen.stderr
    assert in_s3.type("aws", "logs", instance).stdout == seen.stdout
    assert _tags(rig, instance)["runctl:run"] == run_id
    waited = in_s3.type("aws", "run", instance, "steps.py", "--wait", timeout_s=PATIENCE_S)
    assert (waited.returncode, b"from step 0" in waited.stdout) == (20, True), waited.stderr
    assert _tags(rig, instance)["runctl:run"] != run_id


def _tags(rig: Rig, ident: str) -> dict[str, str]:
    told = rig.world.client("ec2").describe_instances(InstanceIds=[ident])
    return {tag["Key"]: tag["Value"] for tag in told["Reservations"][0]["Instances"][0]["Tags"]}


def test_it_is_stopped_and_asked_on_request(instance: str, in_s3: BucketScene) -> None:
    fill(in_s3)
    on = ("--on", f"aws:{instance}")
    done = in_s3.type("train", "slow.py", *on, "--detach", "-o", "id", timeout_s=PATIENCE_S)
    run_id = done.stdout.decode().strip()
    _await_state(in_s3, run_id, "running")
    beside = in_s3.type("exec", run_id, "--", "sh", "-c", "echo $RUNCTL_RUN_ID; id -un")
    assert beside.stdout.decode().split() == [run_id, "ec2-user"], beside.stderr
    made = in_s3.type("exec", run_id, "--", "sh", "-c", 'echo hi > "$RUNCTL_OUTPUT_DIR/made"')
    assert made.returncode == 0
    early = in_s3.type("pull", run_id)
    assert (early.returncode, b"where it runs: made 3B" in early.stderr) == (75, True), early.stderr
    assert in_s3.type("stop", run_id, timeout_s=PATIENCE_S).returncode == 0
    assert in_s3.wait(run_id) == 24


def _await_state(in_s3: BucketScene, run_id: str, state: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = in_s3.type("status", run_id, "--output", "json")
        assert told.returncode == 0, told.stdout + told.stderr
        if json.loads(told.stdout)["state"] == state:
            return
        assert time.monotonic() < deadline, told.stdout
        time.sleep(0.5)


def test_a_killed_command_typed_again_finds_its_run(instance: str, in_s3: BucketScene) -> None:
    fill(in_s3)
    words = ("train", "slow.py", "--on", f"aws:{instance}", "--name", "mine")
    first = in_s3.type_in_background(*words)
    deadline = time.monotonic() + PATIENCE_S
    while not in_s3.keys_of("runs/"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = in_s3.type(*words, "--detach", "-o", "id", timeout_s=PATIENCE_S)
    assert again.returncode == 0, again.stderr
    run_id = again.stdout.decode().strip()
    _await_state(in_s3, run_id, "running")
    assert {key.split("/")[1] for key in in_s3.keys_of("runs/")} == {run_id}
    assert in_s3.type("stop", run_id, "--now", timeout_s=PATIENCE_S).returncode == 0


def test_an_instance_that_ends_loses_the_attempt(rig: Rig, in_s3: BucketScene) -> None:
    fill(in_s3)
    role, iam, ec2 = rig.world.profile, rig.world.client("iam"), rig.world.client("ec2")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=in_s3.rights())
    ident = _launch_ours(rig, in_s3)
    try:
        on = ("--on", f"aws:{ident}")
        done = in_s3.type("train", "slow.py", *on, "--detach", "-o", "id", timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        _await_state(in_s3, done.stdout.decode().strip(), "running")
    finally:
        ec2.terminate_instances(InstanceIds=[ident])
        iam.delete_role_policy(RoleName=role, PolicyName="ledger")
    run_id = done.stdout.decode().strip()
    assert in_s3.wait(run_id, PATIENCE_S) == 21
    gone = in_s3.type("resume", run_id)
    assert gone.returncode == 21
    assert f"runctl resume {run_id} --on".encode() in gone.stderr


def test_what_an_instance_has_begun_goes_on_here(instance: str, in_s3: BucketScene) -> None:
    fill(in_s3)
    done = in_s3.type("train", "steps.py", "--on", f"aws:{instance}", timeout_s=PATIENCE_S)
    assert done.returncode == 20, done.stderr
    [run_id] = {key.split("/")[1] for key in in_s3.keys_of("runs/")}
    again = in_s3.type("resume", run_id, "--on", "local", "--set", "lr=0.5")
    assert again.returncode == 0, again.stderr
    assert b"from step 10" in again.stdout
    [started] = in_s3.bodies(run_id, "command_started", 2)
    assert started["argv"][-1] == "--lr=0.5"
    told = json.loads(in_s3.type("status", run_id, "-o", "json").stdout)
    assert (told["state"], told["spec"]["target"]) == ("succeeded", "local")
    assert not told["attempts"][1]["instance"].startswith("i-")


def test_a_run_goes_on_on_another_instance(rig: Rig, instance: str, in_s3: BucketScene) -> None:
    fill(in_s3)
    done = in_s3.type("train", "steps.py", "--on", f"aws:{instance}", timeout_s=PATIENCE_S)
    assert done.returncode == 20, done.stderr
    [run_id] = {key.split("/")[1] for key in in_s3.keys_of("runs/")}
    other = _launch_ours(rig, in_s3)
    try:
        again = in_s3.type("resume", run_id, "--on", f"aws:{other}", timeout_s=PATIENCE_S)
        assert again.returncode == 0, again.stderr
        assert b"from step 10" in again.stdout
        claims = [json.loads(in_s3.read(f"runs/{run_id}/attempts/{n:04d}.json")) for n in (1, 2)]
        assert [claim["instance"] for claim in claims] == [instance, other]
    finally:
        rig.world.client("ec2").terminate_instances(InstanceIds=[other])


def _launch_ours(rig: Rig, in_s3: BucketScene) -> str:
    owner = json.loads(in_s3.type("init", "--output", "json").stdout)["owner"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "runctl:owner", "Value": owner}]}]
    ident = rig.launch(IamInstanceProfile={"Name": rig.world.profile}, TagSpecifications=tags)
    rig.await_online(ident)
    return ident


def test_what_cannot_be_is_refused_before_anything_begins(rig: Rig, in_s3: BucketScene) -> None:
    fill(in_s3)
    foreign = in_s3.type("train", "slow.py", "--on", f"aws:{rig.launch()}")
    assert foreign.returncode == 11
    assert b"owner tag" in foreign.stderr
    unprepared = in_s3.type("train", "slow.py", "--on", "aws:t3.micro", "--yes")
    assert unprepared.returncode == 4
    assert b"runctl aws setup" in unprepared.stderr
    useless = in_s3.type("train", "slow.py", "--on", "aws:i-0123456789abcdef0", "--spot")
    assert useless.returncode == 2
    assert b"--spot is about renting" in useless.stderr
    absent = in_s3.type("train", "slow.py", "--on", "aws:i-0123456789abcdef0")
    assert absent.returncode == 4
    at_home = {"RUNCTL_CONFIG_STORE_ROOT": str(in_s3.home / "ledger")}
    unreachable = in_s3.type("train", "slow.py", "--on", "aws:i-0123456789abcdef0", env=at_home)
    assert unreachable.returncode == 3
    assert b"s3://bucket/prefix" in unreachable.stderr
    assert in_s3.keys_of("runs/") == []
