"""Volumes made, attached, detached and deleted; looked at behind it, with boto3."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.ours import launch_ours
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow


def _told(scene: BucketScene, *words: str) -> Any:
    done = scene.type("aws", "ebs", *words, "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _exit(scene: BucketScene, *words: str) -> int:
    return scene.type("aws", "ebs", *words).returncode


def _volumes(rig: Rig, name: str) -> list[dict[str, Any]]:
    filters = [{"Name": "tag:Name", "Values": [name]}]
    found: list[dict[str, Any]] = rig.world.client("ec2").describe_volumes(Filters=filters)[
        "Volumes"
    ]
    return found


def test_a_volume_is_made_once(rig: Rig, in_s3: BucketScene) -> None:
    name = f"data-{secrets.token_hex(4)}"
    wanted = ("create", name, "--size", "10", "--instance", rig.world.instance)
    assert _told(in_s3, *wanted, "--dry-run")["name"] == name
    assert _exit(in_s3, *wanted) == 11  # nobody to ask
    assert _volumes(rig, name) == []
    made = _told(in_s3, *wanted, "--yes")
    assert _told(in_s3, *wanted, "--yes")["volume_id"] == made["volume_id"]
    [seen] = _volumes(rig, name)
    assert (seen["Encrypted"], seen["VolumeType"], seen["Size"]) == (True, "gp3", 10)
    other = ("create", name, "--size", "11", "--instance", rig.world.instance, "--yes")
    assert _exit(in_s3, *other) == 5
    assert _exit(in_s3, *wanted, "--persistent", "--yes") == 5  # it would not be protected
    assert name in {one["name"] for one in _told(in_s3, "list")}
    assert _exit(in_s3, "delete", name, "--yes") == 0
    again = _told(in_s3, *wanted, "--yes")
    assert again["volume_id"] != made["volume_id"]
    assert _exit(in_s3, "delete", again["volume_id"], "--yes") == 0


def test_a_protected_volume_outlives_its_instance(rig: Rig, in_s3: BucketScene) -> None:
    name = f"data-{secrets.token_hex(4)}"
    first, second = launch_ours(rig, in_s3), launch_ours(rig, in_s3)
    wanted = ("create", name, "--size", "10", "--instance", first, "--persistent")
    _told(in_s3, *wanted, "--yes")
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda one: _exit(in_s3, "attach", name, one), (first, second)))
    assert sorted(ends) == [0, 5]
    winner = (first, second)[ends.index(0)]
    [held] = _volumes(rig, name)[0]["Attachments"]
    assert (held["InstanceId"], held["State"]) == (winner, "attached")
    assert _exit(in_s3, "attach", name, winner) == 0
    assert _exit(in_s3, "delete", name, "--unprotect", "--yes") == 5

    assert in_s3.type("aws", "terminate", first, second, "--force", "--yes").returncode == 0
    assert _exit(in_s3, "detach", name, "--yes") == 0
    assert _told(in_s3, "show", name)["state"] == "available"
    assert _exit(in_s3, "delete", name, "--yes") == 11
    assert _volumes(rig, name)
    assert _exit(in_s3, "delete", name, "--unprotect", "--yes") == 0
    assert not [one for one in _volumes(rig, name) if one["State"] != "deleting"]
    assert _exit(in_s3, "show", name) == 4


def test_what_is_not_ours_is_not_changed(rig: Rig, in_s3: BucketScene) -> None:
    ec2 = rig.world.client("ec2")
    ident = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    for words in (("delete", ident, "--yes"), ("detach", ident, "--yes")):
        assert _exit(in_s3, *words) == 11
    assert _told(in_s3, "show", ident)["is_ours"] is False
    assert ident not in {one["volume_id"] for one in _told(in_s3, "list")}
    ec2.delete_volume(VolumeId=ident)
    assert _exit(in_s3, "show", "vol-00000000000000000") == 4
