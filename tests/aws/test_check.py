"""``runctl aws check``: what is missing is told before it costs anything, with its fix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.aws.bucketscene import REGION
from tests.aws.setupscene import SetupScene

pytestmark = pytest.mark.slow
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
SPOT_G = "L-3819A6DF"


def _check(scene: SetupScene, *words: str) -> tuple[int, dict[str, Any]]:
    done = scene.type("aws", "check", *words, "--output", "json")
    found = json.loads(done.stdout)
    return done.returncode, {one["subject"]: one for one in found}


def test_a_set_up_account_is_ready(scene: SetupScene) -> None:
    scene.set_up()
    status, found = _check(scene, "--instance-type", "g5.xlarge")
    assert {one["verdict"] for one in found.values()} == {"ok"}, found
    assert status == 0
    assert "rights of the role" in found
    assert "quota of g5.xlarge" in found
    listed = scene.s3.list_objects_v2(Bucket=scene.bucket, Prefix=f"{scene.owner}/")
    assert "Contents" not in listed  # what was tried is cleared


def test_what_is_missing_is_told_with_its_fix(scene: SetupScene) -> None:
    status, found = _check(scene, "--key-name", "absent")
    assert found["ledger"]["verdict"] == "failed"
    assert found["ledger"]["fix"] == "runctl aws setup"
    assert status == found["ledger"]["exit_code"] == 3
    assert found["instance profile"]["exit_code"] == 4
    assert found["security group"]["exit_code"] == 4
    assert "create-key-pair" in found["key pair"]["fix"]


def test_a_right_that_the_role_lacks_is_printed(scene: SetupScene) -> None:
    scene.set_up()
    policy = scene.policy()
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "LedgerObjects"]
    scene.iam.put_role_policy(
        RoleName=scene.name, PolicyName=f"runctl-{REGION}", PolicyDocument=json.dumps(policy)
    )
    status, found = _check(scene)
    assert status == 6
    [missing] = found["rights of the role"]["missing"]
    assert missing["Resource"] == f"arn:aws:s3:::{scene.bucket}/{scene.owner}/*"


def test_an_instance_is_not_rented_where_it_could_not_be_reached(scene: SetupScene) -> None:
    scene.set_up()
    with _closed_subnet(scene) as subnet:
        done = scene.type("aws", "create", "t3.micro", "--subnet", subnet, "--yes", "-o", "json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 9
    assert "leads neither to the internet nor to" in error["message"]
    assert "aws ec2 create-route" in error["hint"]
    mine = [{"Name": "tag:runctl:owner", "Values": [scene.owner]}]
    assert scene.ec2.describe_instances(Filters=mine)["Reservations"] == []


@contextmanager
def _closed_subnet(scene: SetupScene) -> Iterator[str]:
    vpc = scene.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = scene.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    yield subnet
    scene.ec2.delete_subnet(SubnetId=subnet)
    scene.ec2.delete_vpc(VpcId=vpc)


def test_a_right_that_a_new_instance_would_lack_is_told(scene: SetupScene) -> None:
    scene.set_up()
    scene.iam.delete_role_policy(RoleName=scene.name, PolicyName=f"runctl-{REGION}")
    done = scene.type("aws", "create", "t3.micro", "--dry-run")
    assert done.returncode == 0
    assert "rights of the role" in done.stderr.decode()
    assert "see runctl aws setup" in done.stderr.decode()


def test_what_may_not_be_simulated_is_unknown(scene: SetupScene) -> None:
    scene.set_up()
    deny = {"effect": "deny", "service": "iam", "operation": "SimulatePrincipalPolicy"}
    scene.cloud.control("POST", "faults", deny)
    status, found = _check(scene)
    assert found["rights of the role"]["verdict"] == "unknown"
    assert status == 0


def test_a_quota_without_room_is_told(scene: SetupScene) -> None:
    scene.set_up()
    _set_quota(scene, 3)
    try:
        status, found = _check(scene, "--spot", "--instance-type", "g5.xlarge")
    finally:
        _set_quota(scene, 256)  # what it was
    assert status == 7
    assert SPOT_G in found["quota of g5.xlarge"]["fix"]
    assert _check(scene, "--spot", "--instance-type", "g5.xlarge")[0] == 0


def _set_quota(scene: SetupScene, value: int) -> None:
    scene.cloud.control("PUT", "quotas", {"region": REGION, "code": SPOT_G, "value": value})


def test_an_instance_tries_the_ledger_with_its_role(scene: SetupScene) -> None:
    scene.set_up()
    instance = scene.launch_instance([scene.tag], UBUNTU)
    try:
        scene.await_online(instance)
        status, found = _check(scene, "--on", instance)
        assert found[f"ledger from {instance}"]["verdict"] == "ok", found[f"ledger from {instance}"]
        assert status == 0
        scene.iam.delete_role_policy(RoleName=scene.name, PolicyName=f"runctl-{REGION}")
        _, found = _check(scene, "--on", instance)
        assert found[f"ledger from {instance}"]["exit_code"] == 6
    finally:
        scene.end(instance)


def test_a_subnet_that_leads_nowhere_is_told(scene: SetupScene) -> None:
    scene.set_up()
    vpc = scene.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = scene.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    try:
        _, found = _check(scene, "--subnet", subnet)
    finally:
        scene.ec2.delete_subnet(SubnetId=subnet)
        scene.ec2.delete_vpc(VpcId=vpc)
    assert found["network"]["exit_code"] == 9
    assert "ssmmessages" in found["network"]["told"]
    assert "create-route" in found["network"]["fix"]
    assert found["security group"]["exit_code"] == 5  # it is of the default VPC


def test_a_run_is_planned_without_what_a_launch_can_do_without(scene: SetupScene) -> None:
    """Its VPC has a default group; without the profile there is no run at all."""
    scene.set_up()
    scene.write("script.py", "print()\n")
    words = ("train", "script.py", "--on", "aws:m5.large", "--dry-run")
    assert scene.type(*words, "--security-group", scene.name).returncode == 0
    assert scene.type(*words, "--security-group", "absent").returncode == 4
    scene.ec2.delete_security_group(GroupId=scene.group()["GroupId"])
    assert scene.type(*words).returncode == 0
    scene.iam.remove_role_from_instance_profile(InstanceProfileName=scene.name, RoleName=scene.name)
    scene.iam.delete_instance_profile(InstanceProfileName=scene.name)
    refused = scene.type(*words)
    assert (refused.returncode, b"runctl aws setup" in refused.stderr) == (4, True)
