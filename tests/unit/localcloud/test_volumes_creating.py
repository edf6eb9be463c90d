"""Volumes: made by AWS's rules, described, deleted."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.services.ec2.volumes import files
from tests.unit.localcloud.conftest import ACCOUNT, REGION, Rehearsal
from tests.unit.localcloud.ebs import (
    ROOT_SNAPSHOT,
    ZONE,
    attach,
    create,
    file_of,
    launch,
    read,
    refusal,
    snapshot,
    volume_of,
    write,
)

GIB = 1 << 30
ZONE_ID = zones_of(REGION)[ZONE]
TAGS = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}]
NO_SNAPSHOT = "snap-0123456789abcdef0"


def test_a_volume_is_creating_and_then_available(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    made = ec2.create_volume(
        AvailabilityZone=ZONE, Size=3, VolumeType="gp3", TagSpecifications=TAGS
    )
    assert (made["State"], made["Attachments"]) == ("creating", [])
    rehearsal.advance(0.1)
    assert volume_of(rehearsal, made["VolumeId"])["State"] == "creating"
    rehearsal.advance(0.2)
    found = volume_of(rehearsal, made["VolumeId"])
    assert (found["State"], found["Size"], found["SnapshotId"]) == ("available", 3, "")
    assert (found["Iops"], found["Throughput"], found["Encrypted"]) == (3000, 125, False)
    assert (found["AvailabilityZone"], found["AvailabilityZoneId"]) == (ZONE, ZONE_ID)
    assert found["Tags"] == TAGS[0]["Tags"]
    assert found["VolumeArn"] == f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{made['VolumeId']}"
    path = file_of(rehearsal, made["VolumeId"])
    assert (path.stat().st_size, path.stat().st_blocks) == (3 * GIB, 0)


def test_a_zone_may_be_named_by_its_id(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    ident = ec2.create_volume(AvailabilityZoneId=ZONE_ID, Size=1)["VolumeId"]
    rehearsal.advance(1)
    assert volume_of(rehearsal, ident)["AvailabilityZone"] == ZONE


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        ({"Size": 10}, ("gp2", 100, None)),
        ({"Size": 500}, ("gp2", 1500, None)),
        ({"Size": 16384}, ("gp2", 16000, None)),
        ({"Size": 1, "VolumeType": "gp3"}, ("gp3", 3000, 125)),
        ({"Size": 40, "VolumeType": "gp3", "Iops": 8000, "Throughput": 2000}, ("gp3", 8000, 2000)),
        ({"Size": 4, "VolumeType": "io1", "Iops": 200}, ("io1", 200, None)),
        ({"Size": 8, "VolumeType": "io2", "Iops": 8000}, ("io2", 8000, None)),
        ({"Size": 125, "VolumeType": "st1"}, ("st1", None, None)),
        ({"Size": 1, "VolumeType": "standard"}, ("standard", None, None)),
    ],
)
def test_what_a_volume_gets(
    rehearsal: Rehearsal, wanted: dict[str, Any], shape: tuple[Any, ...]
) -> None:
    made = rehearsal.client("ec2").create_volume(AvailabilityZone=ZONE, **wanted)
    assert (made["VolumeType"], made.get("Iops"), made.get("Throughput")) == shape


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ({}, "MissingParameter", "The request must contain the parameter size or snapshotId"),
        (
            {"Size": 0},
            "InvalidParameterValue",
            "gp2 volumes must be at least 1 GiB in size. Please specify a volume size above the",
        ),
        ({"Size": 65537, "VolumeType": "gp3"}, "InvalidParameterValue", "at most 65536 GiB"),
        ({"Size": 124, "VolumeType": "st1"}, "InvalidParameterValue", "at least 125 GiB"),
        ({"Size": 1, "VolumeType": "gp9"}, "UnknownVolumeType", "gp9"),
        (
            {"Size": 10, "VolumeType": "gp2", "Iops": 3000},
            "InvalidParameterCombination",
            "The parameter iops is not supported for gp2 volumes.",
        ),
        (
            {"Size": 10, "VolumeType": "io1"},
            "InvalidParameterCombination",
            "The parameter iops must be specified for io1 volumes.",
        ),
        (
            {"Size": 10, "VolumeType": "gp3", "Iops": 2999},
            "InvalidParameterValue",
            "Volume iops of 2999 is too low; minimum is 3000.",
        ),
        (
            {"Size": 20, "VolumeType": "gp3", "Iops": 15000},
            "InvalidParameterValue",
            "Iops to volume size ratio of 750.000000 is too high; maximum is 500",
        ),
        (
            {"Size": 10, "VolumeType": "gp3", "Throughput": 1000},
            "InvalidParameterValue",
            "Throughput (MiBps) to iops ratio of 0.333333 is too high; maximum is 0.250000 MiBps",
        ),
        ({"Size": 10, "VolumeType": "gp3", "Throughput": 124}, "InvalidParameterValue", "125"),
        (
            {"Size": 125, "VolumeType": "st1", "Throughput": 125},
            "InvalidParameterCombination",
            "The parameter throughput is not supported for st1 volumes.",
        ),
        (
            {"Size": 10, "VolumeType": "gp3", "MultiAttachEnabled": True},
            "InvalidParameterCombination",
            "io1 and io2",
        ),
        (
            {"Size": 1, "KmsKeyId": "alias/mine"},
            "InvalidParameterDependency",
            "The parameter [KmsKeyId] requires the parameter Encrypted to be set.",
        ),
        ({"Size": 1, "VolumeInitializationRate": 200}, "InvalidParameterCombination", "snapshots"),
        ({"SnapshotId": "nonsense"}, "InvalidParameterValue", "Expected: 'snap-...'."),
        (
            {"SnapshotId": NO_SNAPSHOT},
            "InvalidSnapshot.NotFound",
            f"The snapshot '{NO_SNAPSHOT}' does not exist.",
        ),
    ],
)
def test_what_aws_would_not_make(
    rehearsal: Rehearsal, wanted: dict[str, Any], code: str, words: str
) -> None:
    ec2 = rehearsal.client("ec2")
    found = refusal(ec2.create_volume, AvailabilityZone=ZONE, **wanted)
    assert found[0] == code
    assert words in found[1]
    assert ec2.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize(
    ("zone", "code"),
    [
        ({"AvailabilityZone": "us-east-1z"}, "InvalidZone.NotFound"),
        ({"AvailabilityZoneId": "use1-az99"}, "InvalidZone.NotFound"),
        ({}, "MissingParameter"),
        (
            {"AvailabilityZone": ZONE, "AvailabilityZoneId": ZONE_ID},
            "InvalidParameterCombination",
        ),
    ],
)
def test_zones_are_checked(rehearsal: Rehearsal, zone: dict[str, str], code: str) -> None:
    assert refusal(rehearsal.client("ec2").create_volume, Size=1, **zone)[0] == code


def test_one_token_makes_one_volume(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    wanted = {"AvailabilityZone": ZONE, "Size": 1, "ClientToken": "once"}
    first = ec2.create_volume(**wanted)["VolumeId"]
    rehearsal.restart()
    ec2 = rehearsal.client("ec2")
    assert ec2.create_volume(**wanted)["VolumeId"] == first
    assert refusal(ec2.create_volume, **{**wanted, "Size": 2})[0] == "IdempotentParameterMismatch"
    assert len(ec2.describe_volumes()["Volumes"]) == 1


def test_a_dry_run_makes_nothing(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    wanted = {"AvailabilityZone": ZONE, "Size": 1, "DryRun": True}
    assert refusal(ec2.create_volume, **wanted)[0] == "DryRunOperation"
    rehearsal.advance(2)
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_of_a_snapshot_holds_its_bytes(rehearsal: Rehearsal) -> None:
    first = create(rehearsal, Size=2)
    write(rehearsal, first, b"head")
    write(rehearsal, first, b"tail", GIB + 4096)
    ident = snapshot(rehearsal, first)
    write(rehearsal, first, b"later")
    copy = create(rehearsal, SnapshotId=ident, Size=3)
    path = file_of(rehearsal, copy)
    assert (read(path, 4), read(path, 4, GIB + 4096)) == (b"head", b"tail")
    assert path.stat().st_size == 3 * GIB
    assert path.stat().st_blocks * 512 < 1 << 20
    same = volume_of(rehearsal, create(rehearsal, SnapshotId=ident, Size=2))
    assert (same["Size"], same["SnapshotId"]) == (2, ident)
    code, words = refusal(
        rehearsal.client("ec2").create_volume, AvailabilityZone=ZONE, SnapshotId=ident, Size=1
    )
    assert code == "InvalidParameterValue"
    assert ident in words


def test_a_volume_is_made_of_a_public_snapshot(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=ROOT_SNAPSHOT)
    assert (made["Size"], made["SnapshotId"]) == (8, ROOT_SNAPSHOT)


def test_no_volume_is_made_of_a_pending_snapshot(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    found = refusal(ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=ident)
    assert found == ("IncorrectState", "Snapshot is in invalid state - pending")


def test_a_volume_that_finds_no_room_is_in_error(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, size_bytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "make_blank", fail)
    ident = create(rehearsal)
    assert volume_of(rehearsal, ident)["State"] == "error"
    monkeypatch.undo()
    rehearsal.client("ec2").delete_volume(VolumeId=ident)
    rehearsal.advance(1)
    assert rehearsal.client("ec2").describe_volumes()["Volumes"] == []


def test_a_volume_is_deleting_and_then_gone_with_its_room(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), create(rehearsal)
    path = file_of(rehearsal, ident)
    assert path.exists()
    ec2.delete_volume(VolumeId=ident)
    assert volume_of(rehearsal, ident)["State"] == "deleting"
    assert refusal(ec2.delete_volume, VolumeId=ident)[0] == "IncorrectState"
    rehearsal.advance(1)
    code, words = refusal(ec2.describe_volumes, VolumeIds=[ident])
    assert code == "InvalidVolume.NotFound"
    assert ident in words
    assert not path.exists()


def test_an_attached_volume_is_not_deleted(rehearsal: Rehearsal) -> None:
    ident, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, ident, instance)
    assert refusal(rehearsal.client("ec2").delete_volume, VolumeId=ident) == (
        "VolumeInUse",
        f"Volume {ident} is currently attached to {instance}",
    )


def test_creating_is_finished_after_a_restart(rehearsal: Rehearsal) -> None:
    ident = rehearsal.client("ec2").create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    half = file_of(rehearsal, ident).with_suffix(".new")
    half.write_bytes(b"half made when the process was killed")
    rehearsal.restart()
    rehearsal.advance(1)
    assert volume_of(rehearsal, ident)["State"] == "available"
    assert read(file_of(rehearsal, ident), 4) == bytes(4)
    assert not half.exists()


def test_deleting_is_finished_after_a_restart(rehearsal: Rehearsal) -> None:
    ident = create(rehearsal)
    path = file_of(rehearsal, ident)
    rehearsal.client("ec2").delete_volume(VolumeId=ident)
    rehearsal.restart()
    rehearsal.advance(1)
    assert rehearsal.client("ec2").describe_volumes()["Volumes"] == []
    assert not path.exists()


def test_every_filter_of_volumes_finds_one(rehearsal: Rehearsal) -> None:
    ident, instance = create(rehearsal, TagSpecifications=TAGS), launch(rehearsal)
    attach(rehearsal, ident, instance)
    create(rehearsal, AvailabilityZone="us-east-1b", Size=7)
    ec2 = rehearsal.client("ec2")
    wanted = {
        "attachment.delete-on-termination": "false",
        "attachment.device": "/dev/sd?",
        "attachment.instance-id": instance,
        "attachment.status": "attached",
        "availability-zone": ZONE,
        "availability-zone-id": ZONE_ID,
        "encrypted": "false",
        "fast-restored": "false",
        "multi-attach-enabled": "false",
        "operator.managed": "false",
        "size": "1",
        "status": "in-use",
        "tag:Name": "da*",
        "tag-key": "Name",
        "tag-value": "data",
        "volume-id": ident,
        "volume-type": "gp3",
    }
    for name, value in wanted.items():
        both = [{"Name": name, "Values": [value]}, {"Name": "tag-key", "Values": ["Name"]}]
        found = ec2.describe_volumes(Filters=both)["Volumes"]
        assert [one["VolumeId"] for one in found] == [ident], name
        none = [{"Name": name, "Values": ["nonsense"]}]
        assert ec2.describe_volumes(Filters=none)["Volumes"] == [], name
    bad = [{"Name": "nonsense", "Values": ["x"]}]
    assert refusal(ec2.describe_volumes, Filters=bad)[0] == "InvalidParameterValue"


def test_pages_of_volumes(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    made = {create(rehearsal) for _ in range(12)}
    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(one["Volumes"]) for one in pages] == [5, 5, 2]
    assert {volume["VolumeId"] for one in pages for volume in one["Volumes"]} == made
    both = {"VolumeIds": list(made)[:2], "MaxResults": 5}
    assert refusal(ec2.describe_volumes, **both)[0] == "InvalidParameterCombination"
    assert refusal(ec2.describe_volumes, NextToken="nonsense")[0] == "InvalidNextToken"


def test_the_health_of_volumes(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), create(rehearsal)
    [status] = ec2.describe_volume_status(VolumeIds=[ident])["VolumeStatuses"]
    assert status["VolumeStatus"]["Status"] == "ok"
    wanted = [{"Name": "volume-status.status", "Values": ["impaired"]}]
    assert ec2.describe_volume_status(Filters=wanted)["VolumeStatuses"] == []


def test_attributes_of_volumes(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), create(rehearsal)
    wanted = {"VolumeId": ident, "Attribute": "autoEnableIO"}
    assert ec2.describe_volume_attribute(**wanted)["AutoEnableIO"] == {"Value": False}
    ec2.modify_volume_attribute(VolumeId=ident, AutoEnableIO={"Value": True})
    assert ec2.describe_volume_attribute(**wanted)["AutoEnableIO"] == {"Value": True}
    codes = ec2.describe_volume_attribute(VolumeId=ident, Attribute="productCodes")
    assert codes["ProductCodes"] == []
