"""An instance signs for the ledger's bytes with its own role, over IMDSv2 alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fidelity.world import CloudWorld
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow

# As the agent of a rented instance does it: its plan names no profile and no user.
WRITE = """
import sys
from runctl.agent.ledger_access import open_ledger
from runctl.agent.plan import BucketPlan, Plan
url, endpoint = sys.argv[1:]
plan = Plan(run_id="r", attempt=1, instance="i", store=url, instance_root="/", base_python="p",
            bucket=BucketPlan(region="us-east-1", endpoint=endpoint))
objects = open_ledger(plan).objects
objects.put("a/b", b"from the role", create=True)
assert objects.get("a/b") == b"from the role"
assert [info.key for info in objects.list("a/")] == ["a/b"]
assert "boto3" not in sys.modules
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CloudWorld]:
    """A cloud whose metadata of instances is on loopback, within reach of the test."""
    cloud = CloudProcess(tmp_path / "cloud", "plain")
    cloud.start()
    try:
        made = CloudWorld(cloud.session())
        yield made
        assert made.end() == []
    finally:
        cloud.purge()


def test_the_role_of_an_instance_signs(world: CloudWorld) -> None:
    endpoint = str(world.client("s3").meta.endpoint_url)
    url = f"s3://{world.bucket}/me"
    refused = _write(world, url, endpoint)
    assert b"AuthError" in refused.stderr
    assert b"refused access to a/b" in refused.stderr
    _allow(world)
    done = _write(world, url, endpoint)
    assert done.returncode == 0, done.stderr.decode()
    found = world.client("s3").list_objects_v2(Bucket=world.bucket, Prefix="me/")
    assert [entry["Key"] for entry in found["Contents"]] == ["me/a/b"]


def _write(world: CloudWorld, url: str, endpoint: str) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_SERVICE_ENDPOINT": _metadata(world)}
    argv = [sys.executable, "-c", WRITE, url, endpoint]
    return subprocess.run(argv, env=env, capture_output=True, check=False, timeout=60)


def _metadata(world: CloudWorld) -> str:
    """Ask the instance where its metadata are."""
    ssm, instance = world.client("ssm"), world.instance
    sent = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ['printf %s "$AWS_EC2_METADATA_SERVICE_ENDPOINT"']},
    )
    told = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance}
    ssm.get_waiter("command_executed").wait(**told, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return str(ssm.get_command_invocation(**told)["StandardOutputContent"])


def _allow(world: CloudWorld) -> None:
    """Grant what the how-to says is needed, and nothing else."""
    arn, iam = f"arn:aws:s3:::{world.bucket}", world.client("iam")
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": f"{arn}/me/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
        ],
    }
    name = {"RoleName": world.profile, "PolicyName": "ledger"}
    iam.put_role_policy(**name, PolicyDocument=json.dumps(document))
    world.later(lambda: iam.delete_role_policy(**name))
