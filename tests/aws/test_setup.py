"""``runctl aws setup``: what it makes in an account, as boto3 sees it."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.bucketscene import REGION
from tests.aws.setupscene import SetupScene
from tests.fidelity.world import TRUST, code_of
from tests.localcloud.process import CloudProcess, EndpointSession

pytestmark = pytest.mark.slow
ANYBODY = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


def test_all_is_made_once(scene: SetupScene) -> None:
    planned = scene.told("aws", "setup", "--dry-run")
    assert planned["is_dry_run"]
    assert all(part["changes"] for part in planned["parts"])
    assert scene.bucket not in [one["Name"] for one in scene.s3.list_buckets()["Buckets"]]
    made = scene.set_up()
    assert made["parts"] == planned["parts"]
    scene.check_complete()
    cursor = scene.cursor()
    again = scene.told("aws", "setup")  # nothing to agree to
    assert [part["changes"] for part in again["parts"]] == [[]] * 5
    assert not again["is_dry_run"]
    assert not [one for one in scene.calls(cursor) if not one.startswith(("Get", "Head"))]


def test_it_asks_before_it_makes(scene: SetupScene) -> None:
    done = scene.type("aws", "setup")
    assert done.returncode == 11
    assert b"would be: made" in done.stderr
    assert code_of(scene.iam.get_role, RoleName=scene.name) == "NoSuchEntity"


def test_the_ledger_goes_there_unless_it_is_somewhere_already(scene: SetupScene) -> None:
    root = f"s3://{scene.bucket}/{scene.owner}"
    done = scene.type("aws", "setup", "--yes")
    assert "store.root" in done.stdout.decode()
    assert b"runctl config set store.root" in done.stderr
    assert scene.told("config", "get", "store.root")["value"] == root
    scene.told("config", "set", "--user", "store.root", "s3://elsewhere/me")
    again = scene.set_up()
    assert (again["store_root"], again["is_store_root_written"]) == ("s3://elsewhere/me", False)
    assert scene.told("config", "get", "store.root")["value"] == "s3://elsewhere/me"


def test_what_differs_is_repaired_and_what_is_others_stays(scene: SetupScene) -> None:
    scene.set_up()
    foreign = {"ID": "archive", "Status": "Enabled", "Filter": {"Prefix": "photos/"},
               "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}  # fmt: skip
    scene.s3.put_bucket_lifecycle_configuration(
        Bucket=scene.bucket, LifecycleConfiguration={"Rules": [foreign]}
    )
    reader = {"Sid": "Reader", "Effect": "Allow", "Action": "s3:GetObject",
              "Principal": {"AWS": scene.iam.get_role(RoleName=scene.name)["Role"]["Arn"]},
              "Resource": f"arn:aws:s3:::{scene.bucket}/shared/*"}  # fmt: skip
    theirs = json.dumps({"Version": "2012-10-17", "Statement": [reader]})
    scene.s3.put_bucket_policy(Bucket=scene.bucket, Policy=theirs)
    _spoil(scene)
    changed = [part["kind"] for part in scene.set_up()["parts"] if part["changes"]]
    assert changed == ["bucket", "role", "policy", "instance profile", "security group"]
    scene.check_complete()
    assert foreign in scene.rules()
    text = scene.s3.get_bucket_policy(Bucket=scene.bucket)["Policy"]
    assert reader in json.loads(text)["Statement"]


def _spoil(scene: SetupScene) -> None:
    iam, name = scene.iam, scene.name
    scene.s3.delete_public_access_block(Bucket=scene.bucket)
    trust = {**TRUST, "Statement": [*TRUST["Statement"], ANYBODY]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    wide = {"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # fmt: skip
    iam.put_role_policy(
        RoleName=name, PolicyName=f"runctl-{REGION}", PolicyDocument=json.dumps(wide)
    )
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    anywhere = [{**opened, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    group = scene.group()["GroupId"]
    scene.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=anywhere)


def test_two_owners_share_the_bucket(
    scene: SetupScene, tmp_path: Path, local_cloud: CloudProcess
) -> None:
    scene.set_up()
    (tmp_path / "other").mkdir()
    other = SetupScene(tmp_path / "other", local_cloud)
    try:
        told = other.set_up()
        assert told["parts"][0]["changes"] == ["lifecycle rules set"]
        other.check_complete()
        scene.check_complete()
        assert len(scene.rules()) == 3
    finally:
        other._clear_identity()
        other.ec2.delete_security_group(GroupId=other.group()["GroupId"])


@pytest.mark.parametrize("kind", ["role", "instance profile", "security group", "bucket"])
def test_what_is_not_ours_is_refused_before_anything_is_made(scene: SetupScene, kind: str) -> None:
    _make_foreign(scene, kind)
    done = scene.type("aws", "setup", "--yes", "--output", "json")
    assert done.returncode == 11, done.stdout
    error = json.loads(done.stdout)["error"]
    assert kind in error["message"]
    assert error["hint"].startswith("aws ")
    made = [one["Name"] for one in scene.s3.list_buckets()["Buckets"]]
    assert scene.bucket not in made


def _make_foreign(scene: SetupScene, kind: str) -> None:
    if kind == "role":
        scene.iam.create_role(RoleName=scene.name, AssumeRolePolicyDocument=json.dumps(TRUST))
    elif kind == "instance profile":
        scene.iam.create_instance_profile(InstanceProfileName=scene.name)
    elif kind == "security group":
        scene.ec2.create_security_group(GroupName=scene.name, Description="of somebody else")
    else:
        scene.fault("deny", operation="HeadBucket")


def test_a_name_that_another_account_took_is_refused(scene: SetupScene) -> None:
    scene.fault("error", operation="CreateBucket", code="BucketAlreadyExists", status=409)
    done = scene.type("aws", "setup", "--yes")
    assert done.returncode == 11
    assert b"belongs to another account" in done.stderr


def test_what_another_tool_prints_is_what_is_made(scene: SetupScene) -> None:
    wish = ["--read", "s3://data/in", "--ecr", "team/image", "--ssh-from", "10.0.0.0/8"]
    printed = scene.told("aws", "setup", "--print", "json", *wish)
    assert code_of(scene.iam.get_role, RoleName=scene.name) == "NoSuchEntity"
    scene.set_up(*wish)
    assert printed["policy"] == scene.policy()
    stack = scene.told("aws", "setup", "--print", "cloudformation", *wish)["Resources"]
    assert stack["Role"]["Properties"]["Policies"][0]["PolicyDocument"] == scene.policy()
    resources = scene.told("aws", "setup", "--print", "terraform", *wish)["resource"]
    assert json.loads(resources["aws_iam_role_policy"]["runctl"]["policy"]) == scene.policy()
    [opened] = scene.group()["IpPermissions"]
    assert opened["IpRanges"][0]["CidrIp"] == "10.0.0.0/8"
    assert (opened["FromPort"], opened["ToPort"]) == (22, 22)
    scene.set_up()
    scene.check_complete()  # what is not wished for any more is taken away


def test_a_key_that_the_bucket_has_stays_usable(scene: SetupScene) -> None:
    key = f"arn:aws:kms:{REGION}:{scene.world.account}:key/1234abcd"
    scene.set_up("--kms-key", key)
    told = scene.s3.get_bucket_encryption(Bucket=scene.bucket)
    [rule] = told["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    assert scene.policy()["Statement"][-1]["Resource"] == key
    again = scene.told("aws", "setup")
    assert [part["changes"] for part in again["parts"]] == [[]] * 5


def test_killed_at_any_moment_and_typed_again_it_is_complete(scene: SetupScene) -> None:
    chance = random.Random(scene.owner)
    for _ in range(8):
        begun = scene.type_in_background("aws", "setup", "--yes")
        time.sleep(chance.uniform(0.4, 1.4))
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    scene.set_up()
    scene.check_complete()
    assert scene.told("config", "get", "store.root")["value"].endswith(scene.owner)


# ---------------------------------------------------------------- what an instance may do


def test_an_instance_uses_its_prefix_and_ends_itself_alone(scene: SetupScene) -> None:
    scene.set_up()
    mine, other = scene.launch_instance([scene.tag]), scene.launch_instance([])
    try:
        as_instance = _session_of(scene, mine)
        _check_objects(scene, as_instance.client("s3"))
        _check_instances(scene, as_instance.client("ec2"), mine, other)
    finally:
        scene.end(mine, other)


def _check_objects(scene: SetupScene, s3: Any) -> None:
    own, bucket = f"{scene.owner}/a", scene.bucket
    s3.put_object(Bucket=bucket, Key=own, Body=b"mine")
    assert s3.get_object(Bucket=bucket, Key=own)["Body"].read() == b"mine"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{scene.owner}/")["Contents"]
    assert [one["Key"] for one in listed] == [own]
    s3.delete_object(Bucket=bucket, Key=own)
    scene.s3.put_object(Bucket=bucket, Key="usr-other/a", Body=b"not mine")
    for call, rest in (
        (s3.get_object, {}),
        (s3.put_object, {"Body": b"x"}),
        (s3.delete_object, {}),
    ):
        assert code_of(call, Bucket=bucket, Key="usr-other/a", **rest) == "AccessDenied"
    for prefix in ("usr-other/", "", f"{scene.owner}x"):
        assert code_of(s3.list_objects_v2, Bucket=bucket, Prefix=prefix) == "AccessDenied"


def _check_instances(scene: SetupScene, ec2: Any, mine: str, other: str) -> None:
    assert ec2.describe_instances(InstanceIds=[mine])["Reservations"]
    note = [{"Key": "note", "Value": "x"}]
    ec2.create_tags(Resources=[mine], Tags=note)
    for key in ("runctl:owner", "RUNCTL:Owner"):
        stolen = [{"Key": key, "Value": "usr-other"}]
        assert code_of(ec2.create_tags, Resources=[mine], Tags=stolen) == "UnauthorizedOperation"
    assert code_of(ec2.create_tags, Resources=[other], Tags=note) == "UnauthorizedOperation"
    claimed = [scene.tag]
    assert code_of(ec2.create_tags, Resources=[other], Tags=claimed) == "UnauthorizedOperation"
    for call in (ec2.stop_instances, ec2.terminate_instances):
        assert code_of(call, InstanceIds=[other]) == "UnauthorizedOperation"
    ec2.terminate_instances(InstanceIds=[mine])


def _session_of(scene: SetupScene, instance: str) -> boto3.Session:
    """Return a session with the credentials that the instance gets from its own metadata."""
    script = (
        'at="${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}"; at="${at%/}/latest"\n'
        'token=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$at/api/token")\n'
        f'curl -sf -H "X-aws-ec2-metadata-token: $token" '
        f'"$at/meta-data/iam/security-credentials/{scene.name}"'
    )
    scene.await_online(instance)
    ssm = scene.world.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [script]},
    )
    target = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance}
    waiter = ssm.get_waiter("command_executed")
    waiter.wait(**target, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    told = json.loads(ssm.get_command_invocation(**target)["StandardOutputContent"])
    return _Session(scene, told)


class _Session(EndpointSession):
    """A session with credentials that last for a while: they have a token."""

    def __init__(self, scene: SetupScene, told: dict[str, str]) -> None:
        super().__init__(scene.cloud.endpoint, told["AccessKeyId"], told["SecretAccessKey"], REGION)
        self._keys = {
            "aws_access_key_id": told["AccessKeyId"],
            "aws_secret_access_key": told["SecretAccessKey"],
            "aws_session_token": told["Token"],
        }

    def client(self, *words: Any, **options: Any) -> Any:
        return super().client(*words, **{**self._keys, **options})
