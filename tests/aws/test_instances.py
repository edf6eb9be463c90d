"""What looks after instances, typed; and looked at behind it, with boto3 and in S3."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.ours import PATIENCE_S, await_online, launch_ours, ledger_rights, state_of
from tests.aws.visitors import on_terminal
from tests.cli.projects import fill
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow
ENDED = ("shutting-down", "terminated")
Launch = Callable[..., str]

SAVER = """\
import json, os, signal, sys, time
folder = os.environ["RUNCTL_CHECKPOINT_DIR"]
def save(step):
    with open(os.path.join(folder, "new"), "w") as file:
        json.dump({"step": step}, file)
    os.replace(os.path.join(folder, "new"), os.path.join(folder, "last.json"))
def leave(number, frame):
    save(120)
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
save(10)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def launch(rig: Rig, in_s3: BucketScene) -> Iterator[Launch]:
    """Launch instances that are ours, whose role may use the ledger; they end with the test."""
    made: list[str] = []

    def one(*, more: Any = None, **tags: str) -> str:
        made.append(launch_ours(rig, in_s3, more=more, **tags))
        return made[-1]

    with ledger_rights(rig, in_s3):
        yield one
        rig.world.client("ec2").terminate_instances(InstanceIds=made)


def _started(rig: Rig, in_s3: BucketScene, ident: str, script: str = "saver.py") -> str:
    """Start a run on an instance; return its id once it trains, and has saved."""
    fill(in_s3)
    in_s3.write("saver.py", SAVER)
    in_s3.write(".runctl.toml", '[checkpoint]\nsettle = "0s"\ninterval = "100ms"\n')
    await_online(rig, ident)
    words = ("train", script, "--on", f"aws:{ident}", "--detach", "-o", "id", "--name", "mine")
    done = in_s3.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.decode().strip()
    deadline = time.monotonic() + PATIENCE_S
    while not in_s3.manifests(run_id):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return run_id


def test_a_run_keeps_its_instance_until_forced_and_is_flushed_then(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch()
    run_id = _started(rig, in_s3, ident)
    for words in (
        ("terminate", ident, "--yes"),
        ("terminate", ident, "--dry-run"),
        ("stop", ident),
    ):
        refused = in_s3.type("aws", *words)
        assert refused.returncode == 11, refused
        for told in (f"mine ({run_id})", "last.json (step 10)", f"{words[0]} {ident} --force"):
            assert told in refused.stderr.decode()
    assert state_of(rig, ident) == "running"
    _ask_first(rig, in_s3, ident)
    done = in_s3.type("aws", "terminate", ident, "--force", "--yes", timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert b"run mine stopped: last safe is last.json (step 120), log shipped" in done.stdout
    assert state_of(rig, ident) in ENDED
    _check_saved(in_s3, run_id)


def _ask_first(rig: Rig, in_s3: BucketScene, ident: str) -> None:
    """See that nothing is ended before somebody has agreed to it."""
    asked = in_s3.type("aws", "terminate", ident, "--force")
    assert asked.returncode == 11
    assert b"--yes" in asked.stderr
    status, shown = on_terminal(in_s3, "aws", "terminate", ident, "--force", typed=b"n\n")
    assert status == 11, shown
    assert "End 1 instance" in shown
    for told in (ident, "what it has cost is not known", "last safe is last.json (step 10)"):
        assert told in shown
    assert state_of(rig, ident) == "running"


def _check_saved(in_s3: BucketScene, run_id: str) -> None:
    """See that what the script wrote on SIGTERM is in S3, under its own digest."""
    data = json.dumps({"step": 120}).encode()
    digest = hashlib.sha256(data).hexdigest()
    assert in_s3.read(f"blobs/{digest}") == data
    parts = [
        part["sha256"] for file in in_s3.manifests(run_id)[-1]["files"] for part in file["parts"]
    ]
    assert parts == [digest]
    [end] = in_s3.bodies(run_id, "attempt_ended")
    assert end["cause"] == "stop"


def test_killed_at_any_moment_and_typed_again_it_ends(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch()
    run_id = _started(rig, in_s3, ident)
    words = ("aws", "terminate", ident, "--force", "--yes")
    for pause_s in (0.6, 1.2, 2.4):
        killed = in_s3.type_in_background(*words)
        time.sleep(pause_s)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    done = in_s3.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert state_of(rig, ident) in ENDED
    _check_saved(in_s3, run_id)
    again = in_s3.type(*words)
    assert again.returncode == 0, again.stderr
    assert b"already" in again.stdout


def test_a_forced_stop_flushes_the_run_which_then_goes_on(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch()
    run_id = _started(rig, in_s3, ident)
    done = in_s3.type("aws", "stop", ident, "--force", "--wait", timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert b"run mine stopped: last safe is last.json (step 120), log shipped" in done.stdout
    assert state_of(rig, ident) == "stopped"
    _check_saved(in_s3, run_id)
    started = in_s3.type("aws", "start", ident, "--wait", "--yes", timeout_s=PATIENCE_S)
    assert started.returncode == 0, started.stderr
    assert in_s3.type("resume", run_id, "--detach", timeout_s=PATIENCE_S).returncode == 0
    in_s3.wait_for_event(run_id, "resume_chosen", 2)
    [chosen] = in_s3.bodies(run_id, "resume_chosen", 2)
    assert chosen["step"] == 120


def test_a_run_that_does_not_save_in_time_is_said_and_ended(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch()
    _started(rig, in_s3, ident)
    words = ("aws", "terminate", ident, "--force", "--yes", "--flush-timeout", "0s")
    done = in_s3.type(*words, "-o", "json", timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    [report] = json.loads(done.stdout)
    assert "only the waiting is over" in report["flushes"][0]["problem"]
    assert report["flushes"][0]["run"]["last_step"] == 10
    assert state_of(rig, ident) in ENDED


def test_a_check_that_cannot_be_made_is_a_refusal(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch()
    elsewhere = {"RUNCTL_CONFIG_STORE_ROOT": "s3://not-a-bucket-of-anybody/me"}
    refused = in_s3.type("aws", "terminate", ident, "--yes", env=elsewhere)
    assert refused.returncode == 11, refused.stderr
    assert b"cannot be known" in refused.stderr
    assert state_of(rig, ident) == "running"
    forced = in_s3.type("aws", "terminate", ident, "--yes", "--force", env=elsewhere)
    assert forced.returncode == 0, forced.stderr
    assert b"could not be flushed" in forced.stdout
    assert state_of(rig, ident) in ENDED


def test_a_run_of_another_ledger_is_no_free_instance(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident = launch(**{"runctl:run": "0123456789-00000"})
    refused = in_s3.type("aws", "stop", ident)
    assert refused.returncode == 11, refused.stderr
    assert b"run 0123456789-00000 was started on it" in refused.stderr
    assert state_of(rig, ident) == "running"


def test_what_is_not_ours_is_left_alone_unless_it_is_meant(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ours, foreign = launch(), rig.launch()
    try:
        for words in (("terminate", "--yes"), ("stop",), ("start", "--yes")):
            refused = in_s3.type("aws", words[0], ours, foreign, *words[1:])
            assert refused.returncode == 11, refused
            assert b"--not-mine" in refused.stderr
        assert [state_of(rig, one) for one in (ours, foreign)] == ["running", "running"]
        assert foreign not in in_s3.type("aws", "list", "-o", "id").stdout.decode()
        done = in_s3.type("aws", "terminate", foreign, "--not-mine", "--yes")
        assert done.returncode == 0, done.stderr
        assert state_of(rig, foreign) in ENDED
    finally:
        rig.world.client("ec2").terminate_instances(InstanceIds=[foreign])


def test_one_that_fails_stops_no_other_and_the_worst_counts(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    kept, ended, ec2 = launch(Name="kept"), launch(Name="ended"), rig.world.client("ec2")
    ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": True})
    try:
        done = in_s3.type("aws", "terminate", "kept", "ended", "--yes", "-o", "json")
        assert done.returncode == 5, done.stderr
        reports = {one["instance"]["instance_id"]: one for one in json.loads(done.stdout)}
        assert "--no-disable-api-termination" in reports[kept]["failure"]["hint"]
        assert reports[ended]["failure"] is None
        assert (state_of(rig, kept), state_of(rig, ended) in ENDED) == ("running", True)
    finally:
        ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": False})


def test_a_spot_instance_is_not_stopped(rig: Rig, launch: Launch, in_s3: BucketScene) -> None:
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    ident, other = launch(more=spot), launch()
    done = in_s3.type("aws", "stop", other, ident)
    assert done.returncode == 5, done.stderr
    assert b"spot market, for one time" in done.stderr
    assert f"runctl aws terminate {ident}".encode() in done.stderr
    assert [state_of(rig, one) for one in (ident, other)] == ["running", "running"]


def test_a_stopped_instance_starts_with_its_disk_and_its_run_goes_on(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    fill(in_s3)
    ident = launch(Name="box")
    assert in_s3.type("aws", "wait", "box", "--for", "ready").returncode == 0
    on = ("--on", f"aws:{ident}")
    first = in_s3.type("train", "steps.py", *on, "--name", "mine", timeout_s=PATIENCE_S)
    assert first.returncode == 20, first.stderr
    transport = rig.ways(in_s3.home).reach(ident)
    transport.exec(["sh", "-c", 'echo kept > "$HOME/mark"'])
    stopped = in_s3.type("aws", "stop", "box", "--wait", timeout_s=PATIENCE_S)
    assert stopped.returncode == 0, stopped.stderr
    assert state_of(rig, ident) == "stopped"
    assert in_s3.type("aws", "wait", "box", "--for", "running").returncode == 5
    assert in_s3.type("aws", "start", "box").returncode == 11  # it spends, and nobody agreed
    assert state_of(rig, ident) == "stopped"
    started = in_s3.type("aws", "start", "box", "--wait", "--yes", timeout_s=PATIENCE_S)
    assert started.returncode == 0, started.stderr
    assert transport.exec(["sh", "-c", 'cat "$HOME/mark"']).stdout == b"kept\n"
    again = in_s3.type("resume", "mine", timeout_s=PATIENCE_S)
    assert again.returncode == 0, again.stderr
    assert b"from step 10" in again.stdout
    _check_status(in_s3, ident)


def _check_status(in_s3: BucketScene, ident: str) -> None:
    told = json.loads(in_s3.type("aws", "status", ident, "-o", "json").stdout)
    assert told["contact"] == {"transport": "ssm", "login": "ec2-user", "problem": None}
    assert [(run["name"], run["state"]) for run in told["earlier_runs"]] == [("mine", "succeeded")]
    assert [volume["is_kept"] for volume in told["volumes"]] == [False]
    text = in_s3.type("aws", "status", "box").stdout.decode()
    assert "over ssm, as ec2-user" in text
    assert "mine  succeeded, last safe is last.json (step 20)" in text


def test_volumes_that_stay_are_named_with_their_price(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident, ec2 = launch(), rig.world.client("ec2")
    owner = json.loads(in_s3.type("init", "--output", "json").stdout)["owner"]
    told = ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "runctl:owner", "Value": owner}]}]
    zone = told["Placement"]["AvailabilityZone"]
    made = ec2.create_volume(
        AvailabilityZone=zone, Size=100, VolumeType="gp3", TagSpecifications=tags
    )["VolumeId"]
    try:
        ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        ec2.attach_volume(VolumeId=made, InstanceId=ident, Device="/dev/sdf")
        words = f"{made}: 100 GiB gp3, $8.00 a month; runctl aws ebs delete {made}"
        planned = in_s3.type("aws", "terminate", ident, "--dry-run")
        assert words in planned.stdout.decode()
        assert state_of(rig, ident) == "running"
        done = in_s3.type("aws", "terminate", ident, "--yes")
        assert words in done.stdout.decode(), done.stderr
        assert in_s3.type("aws", "wait", ident, "--for", "terminated").returncode == 0
        ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        assert words in in_s3.type("aws", "list").stderr.decode()
    finally:
        ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        ec2.delete_volume(VolumeId=made)


def test_waiting_ends_in_time_and_tells_what_came_instead(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident, other = launch(), launch()
    interrupted = in_s3.type_in_background("aws", "wait", ident, other, "--for", "stopped")
    time.sleep(3)
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(10) == 130
    late = in_s3.type("aws", "wait", ident, "--for", "stopped", "--wait-timeout", "0s")
    assert late.returncode == 75, late
    rig.world.client("ec2").terminate_instances(InstanceIds=[ident])
    ended = in_s3.type("aws", "wait", ident, "--for", "running")
    assert ended.returncode == 21, ended
    missing = in_s3.type("aws", "wait", "i-0123456789abcdef0", "--for", "running")
    assert missing.returncode == 4


def test_the_list_has_prices_and_runs_of_ours_alone(launch: Launch, in_s3: BucketScene) -> None:
    run = "0123456789-00000"
    tags = {"runctl:usd-per-hour": "0.0104", "runctl:run": run, "runctl:project": "digits"}
    priced, plain = launch(Name="box", **tags), launch()
    text = in_s3.type("aws", "list")
    _header, *rows = text.stdout.decode().splitlines()
    assert len(rows) == 2
    [row] = [line for line in rows if priced in line]
    for word in ("t3.micro", "running", "on-demand", "$0.0104/h", "$0.0002", run, "box", "digits"):
        assert word in row
    assert b"2 instances: $0.0104/h now; unknown of 1, $0.0002 so far; unknown of 1" in text.stderr
    listed = json.loads(in_s3.type("aws", "list", "-o", "json").stdout)
    costs = {one["instance_id"]: one["cost_usd"] for one in listed}
    assert (float(costs[priced]) > 0, costs[plain]) == (True, None)
    mine = in_s3.type("aws", "list", "--project", "digits", "-o", "id").stdout.decode()
    assert mine.split() == [priced]
    assert in_s3.type("aws", "list", "--region", "eu-west-1", "-o", "id").stdout == b""


def test_who_may_not_look_at_volumes_is_told_so_and_goes_on(
    rig: Rig, launch: Launch, in_s3: BucketScene
) -> None:
    ident, iam, name = launch(), rig.world.client("iam"), rig.world.name("user")
    actions = ["s3:*", "ec2:DescribeInstances", "ec2:TerminateInstances"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    try:
        listed = in_s3.type("aws", "list", "-o", "id", env=env)
        assert (listed.returncode, listed.stdout.split()) == (0, [ident.encode()])
        assert b"whether volumes are left is not known" in listed.stderr
        done = in_s3.type("aws", "terminate", ident, "--yes", env=env)
        assert done.returncode == 0, done.stderr
        assert b"which volumes stay is not known" in done.stdout
        assert state_of(rig, ident) in ENDED
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="some")
        iam.delete_user(UserName=name)
