"""``runctl aws teardown``: what it takes away, and what it never touches."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest

from tests.aws.bucketscene import REGION
from tests.aws.setupscene import SetupScene
from tests.fidelity.world import TRUST, code_of

pytestmark = pytest.mark.slow


def _has_nothing(scene: SetupScene) -> bool:
    profiles = scene.iam.list_instance_profiles()["InstanceProfiles"]
    filters = [{"Name": "tag:runctl:owner", "Values": [scene.owner]}]
    groups = scene.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    names = [one["RoleName"] for one in scene.iam.list_roles()["Roles"]]
    names += [one["InstanceProfileName"] for one in profiles]
    return scene.name not in names and not groups


def _buckets(scene: SetupScene) -> list[str]:
    return [one["Name"] for one in scene.s3.list_buckets()["Buckets"]]


def test_nothing_is_left_but_the_ledger(scene: SetupScene) -> None:
    scene.set_up()
    planned = scene.told("aws", "teardown", "--dry-run")
    scene.check_complete()
    told = scene.told("aws", "teardown", "--yes")
    assert [part["changes"] for part in told["parts"]] == [
        part["changes"] for part in planned["parts"]
    ]
    assert all(part["changes"] for part in told["parts"])
    assert _has_nothing(scene)
    assert scene.bucket in _buckets(scene)
    assert not any(part["changes"] for part in scene.told("aws", "teardown")["parts"])
    scene.set_up()
    scene.check_complete()


def test_the_ledger_goes_when_asked_and_the_bucket_when_it_is_empty(scene: SetupScene) -> None:
    scene.set_up()
    keys = [f"{scene.owner}/runs/{number}" for number in range(1005)]
    scene.s3.put_bucket_versioning(
        Bucket=scene.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    for key in [*keys, keys[0], "usr-other/a"]:
        scene.s3.put_object(Bucket=scene.bucket, Key=key, Body=b"xy")
    scene.s3.delete_object(Bucket=scene.bucket, Key=keys[1])
    scene.s3.create_multipart_upload(Bucket=scene.bucket, Key=f"{scene.owner}/big")
    refused = scene.type("aws", "teardown", "--delete-ledger")
    assert refused.returncode == 11
    assert b"1007 objects" in refused.stderr  # with an older version and a deletion's mark
    told = scene.told("aws", "teardown", "--delete-ledger", "--yes")
    assert told["object_count"] == 1007
    found = scene.s3.list_object_versions(Bucket=scene.bucket)
    assert [one["Key"] for one in found["Versions"]] == ["usr-other/a"]
    assert "DeleteMarkers" not in found
    assert "Uploads" not in scene.s3.list_multipart_uploads(Bucket=scene.bucket)
    assert [rule["ID"] for rule in scene.rules()] == ["runctl-incomplete-uploads"]
    [version] = [one["VersionId"] for one in found["Versions"]]
    scene.s3.delete_object(Bucket=scene.bucket, Key="usr-other/a", VersionId=version)
    scene.told("aws", "teardown", "--delete-ledger", "--yes")
    assert scene.bucket not in _buckets(scene)


def test_a_bucket_with_a_rule_of_others_stays(scene: SetupScene) -> None:
    scene.set_up()
    foreign = {"ID": "archive", "Status": "Enabled", "Filter": {"Prefix": "photos/"},
               "Expiration": {"Days": 30}}  # fmt: skip
    scene.s3.put_bucket_lifecycle_configuration(
        Bucket=scene.bucket, LifecycleConfiguration={"Rules": [*scene.rules(), foreign]}
    )
    told = scene.told("aws", "teardown", "--delete-ledger", "--yes")
    assert any(scene.bucket in words for words in told["kept"])
    assert [rule["ID"] for rule in scene.rules()] == ["runctl-incomplete-uploads", "archive"]


def test_it_is_refused_while_an_instance_of_ours_lives(scene: SetupScene) -> None:
    scene.set_up()
    mine, other = scene.launch_instance([scene.tag]), scene.launch_instance([])
    try:
        done = scene.type("aws", "teardown", "--yes")
        assert done.returncode == 11
        assert mine.encode() in done.stderr
        assert other.encode() not in done.stderr
        scene.check_complete()
    finally:
        scene.end(mine, other)
    assert scene.type("aws", "teardown", "--yes").returncode == 0
    assert _has_nothing(scene)


@pytest.mark.parametrize("kind", ["role", "security group"])
def test_what_lacks_our_tag_is_never_touched(scene: SetupScene, kind: str) -> None:
    scene.set_up()
    tag = scene.tag["Key"]
    if kind == "role":
        scene.iam.untag_role(RoleName=scene.name, TagKeys=[tag])
    else:
        group = scene.group()["GroupId"]
        scene.ec2.delete_tags(Resources=[group], Tags=[{"Key": tag}])
    done = scene.type("aws", "teardown", "--yes", "--output", "json")
    assert done.returncode == 11
    assert kind in json.loads(done.stdout)["error"]["message"]
    assert scene.group()
    role = scene.iam.get_role(RoleName=scene.name)["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert scene.policy()


def test_a_role_that_another_region_needs_stays(scene: SetupScene) -> None:
    scene.set_up()
    elsewhere = {"RoleName": scene.name, "PolicyName": "runctl-eu-west-1"}
    scene.iam.put_role_policy(**elsewhere, PolicyDocument=json.dumps(scene.policy()))
    told = scene.told("aws", "teardown", "--yes")
    assert any("eu-west-1" in words for words in told["kept"])
    assert scene.iam.list_role_policies(RoleName=scene.name)["PolicyNames"] == ["runctl-eu-west-1"]
    assert scene.iam.get_instance_profile(InstanceProfileName=scene.name)
    mine = {"RoleName": scene.name, "PolicyName": f"runctl-{REGION}"}
    assert code_of(scene.iam.get_role_policy, **mine) == "NoSuchEntity"


def test_killed_at_any_moment_and_typed_again_nothing_is_left(scene: SetupScene) -> None:
    scene.set_up()
    chance = random.Random(scene.owner)
    for _ in range(4):
        begun = scene.type_in_background("aws", "teardown", "--delete-ledger", "--yes")
        time.sleep(chance.uniform(0.4, 1.2))
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    scene.told("aws", "teardown", "--delete-ledger", "--yes")
    assert _has_nothing(scene)
    assert scene.bucket not in _buckets(scene)
