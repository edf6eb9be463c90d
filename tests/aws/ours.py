"""Instances that are ours: launched with boto3, tagged as runctl does it, with a role of theirs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig

PATIENCE_S = 150.0


@contextmanager
def ledger_rights(rig: Rig, scene: BucketScene) -> Iterator[None]:
    """Let the role of the instances use the ledger, and nothing else."""
    role, iam = rig.world.profile, rig.world.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=scene.rights())
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="ledger")


def launch_ours(rig: Rig, scene: BucketScene, *, more: Any = None, **tags: str) -> str:
    """Launch an instance that bears the owner tag, and other tags; return its id once it runs."""
    owner = json.loads(scene.type("init", "--output", "json").stdout)["owner"]
    listed = [
        {"Key": key, "Value": value} for key, value in {"runctl:owner": owner, **tags}.items()
    ]
    return rig.launch(
        IamInstanceProfile={"Name": rig.world.profile},
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed}],
        **(more or {}),
    )


def await_online(rig: Rig, ident: str) -> None:
    ssm, deadline = rig.world.client("ssm"), time.monotonic() + PATIENCE_S
    asked = [{"Key": "InstanceIds", "Values": [ident]}]
    while not ssm.describe_instance_information(Filters=asked)["InstanceInformationList"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def state_of(rig: Rig, ident: str) -> str:
    """Ask EC2 itself."""
    told = rig.world.client("ec2").describe_instances(InstanceIds=[ident])
    return str(told["Reservations"][0]["Instances"][0]["State"]["Name"])
