"""Snapshots: made, copied, shared, found, deleted; their bytes are those of that moment."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runctl.localcloud.services.ec2.snapshots import freezing, settling
from tests.unit.localcloud.conftest import ACCOUNT, REGION, Rehearsal
from tests.unit.localcloud.ebs import (
    ROOT_SNAPSHOT,
    ZONE,
    attach,
    create,
    file_of,
    file_of_snapshot,
    launch,
    read,
    refusal,
    snapshot,
    snapshot_of,
    write,
)

GIB = 1 << 30
OTHER = "210987654321"
UNKNOWN = "snap-0123456789abcdef0"


def test_a_snapshot_is_pending_and_then_complete(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal, Size=3)
    write(rehearsal, volume, b"x" * 8192)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = ec2.create_snapshot(VolumeId=volume, Description="words", TagSpecifications=tags)
    assert (made["State"], made["Progress"], made["VolumeSize"]) == ("pending", "", 3)
    rehearsal.advance(0.1)
    found = snapshot_of(rehearsal, made["SnapshotId"])
    assert (found["State"], found["Progress"]) == ("pending", "99%")
    rehearsal.advance(1)
    found = snapshot_of(rehearsal, made["SnapshotId"])
    assert (found["State"], found["Progress"]) == ("completed", "100%")
    assert (found["OwnerId"], found["VolumeId"], found["Description"]) == (ACCOUNT, volume, "words")
    assert found["Tags"] == [{"Key": "k", "Value": "v"}]
    assert found["StorageTier"] == "standard"
    assert 8192 <= found["FullSnapshotSizeInBytes"] < 1 << 20
    path = file_of_snapshot(rehearsal, made["SnapshotId"])
    assert (read(path, 1), path.stat().st_size) == (b"x", 3 * GIB)


def test_a_snapshot_holds_what_was_there_when_it_was_made(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    write(rehearsal, volume, b"then")
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    rehearsal.advance()
    write(rehearsal, volume, b"now!")
    ec2.delete_volume(VolumeId=volume)
    rehearsal.advance(2)
    assert read(file_of_snapshot(rehearsal, ident), 4) == b"then"


def test_a_volume_that_is_deleted_at_once_is_still_copied(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    write(rehearsal, volume, b"then")
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    rehearsal.advance(2)
    assert read(file_of_snapshot(rehearsal, ident), 4) == b"then"
    assert ec2.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize("passed_s", [0.0, 0.2])
def test_a_pending_snapshot_is_finished_after_a_restart(
    rehearsal: Rehearsal, passed_s: float
) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    write(rehearsal, volume, b"then")
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    half = file_of_snapshot(rehearsal, ident).with_suffix(".new")
    if passed_s:
        rehearsal.advance(passed_s)
        write(rehearsal, volume, b"now!")
    else:
        half.write_bytes(b"half made when the process was killed")
    rehearsal.restart()
    rehearsal.advance(2)
    assert snapshot_of(rehearsal, ident)["State"] == "completed"
    assert read(file_of_snapshot(rehearsal, ident), 4) == b"then"
    assert not half.exists()


def test_a_snapshot_that_finds_no_room_is_in_error(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path, size_bytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(settling, "copy_sparse", fail)
    ident = snapshot(rehearsal, create(rehearsal))
    found = snapshot_of(rehearsal, ident)
    assert found["State"] == "error"
    assert "No space left on device" in found["StateMessage"]


def test_what_is_mounted_is_held_still(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    @contextmanager
    def frozen(cloud: Any, region: str, volume_id: str) -> Iterator[None]:
        machine = freezing._machine_of(cloud, region, volume_id)
        seen.append(machine.id if machine else None)
        yield
        seen.append("thawed")

    monkeypatch.setattr(settling, "frozen", frozen)
    volume, instance = create(rehearsal), launch(rehearsal)
    snapshot(rehearsal, volume)
    attach(rehearsal, volume, instance)
    snapshot(rehearsal, volume)
    assert seen == [None, "thawed", instance, "thawed"]


def test_no_snapshot_of_what_is_not_there(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    unknown = {"VolumeId": "vol-0123456789abcdef0"}
    assert refusal(ec2.create_snapshot, **unknown)[0] == "InvalidVolume.NotFound"
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    assert refusal(ec2.create_snapshot, VolumeId=volume)[0] == "IncorrectState"
    dry = {"VolumeId": create(rehearsal), "DryRun": True}
    assert refusal(ec2.create_snapshot, **dry)[0] == "DryRunOperation"
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


# ---------------------------------------------------------------- of an instance


def test_snapshots_of_all_volumes_of_an_instance(rehearsal: Rehearsal) -> None:
    ec2, volume, instance = rehearsal.client("ec2"), create(rehearsal, Size=2), launch(rehearsal)
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "k", "Value": "v"}])
    attach(rehearsal, volume, instance)
    wanted = {"InstanceId": instance}
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "s", "Value": "t"}]}]
    answer = ec2.create_snapshots(
        InstanceSpecification=wanted, CopyTagsFromSource="volume", TagSpecifications=tags
    )
    made = {one["VolumeSize"]: one for one in answer["Snapshots"]}
    assert set(made) == {8, 2}
    assert made[2]["Tags"] == [{"Key": "k", "Value": "v"}, {"Key": "s", "Value": "t"}]
    rehearsal.advance(2)
    assert snapshot_of(rehearsal, made[8]["SnapshotId"])["State"] == "completed"
    data = ec2.create_snapshots(InstanceSpecification={**wanted, "ExcludeBootVolume": True})
    assert [one["VolumeId"] for one in data["Snapshots"]] == [volume]
    root = ec2.create_snapshots(InstanceSpecification={**wanted, "ExcludeDataVolumeIds": [volume]})
    assert [one["VolumeSize"] for one in root["Snapshots"]] == [8]
    wrong = {**wanted, "ExcludeDataVolumeIds": [made[8]["VolumeId"]]}
    found = refusal(ec2.create_snapshots, InstanceSpecification=wrong)
    assert found[0] == "InvalidParameterValue"


# ---------------------------------------------------------------- finding


def test_one_sees_ones_own_and_the_public_ones(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))

    def seen(**wanted: Any) -> set[str]:
        return {one["SnapshotId"] for one in ec2.describe_snapshots(**wanted)["Snapshots"]}

    every, public = seen(), seen(RestorableByUserIds=["all"])
    assert {ident, ROOT_SNAPSHOT} <= every
    assert ROOT_SNAPSHOT in public
    assert ident not in public
    assert seen(OwnerIds=["self"]) == seen(OwnerIds=[ACCOUNT]) == {ident}
    assert ROOT_SNAPSHOT in seen(OwnerIds=["amazon"])
    assert seen(OwnerIds=["099720109477"]) < public
    assert seen(RestorableByUserIds=["self"]) == {ident}
    assert seen(SnapshotIds=[ident, ROOT_SNAPSHOT]) == {ident, ROOT_SNAPSHOT}
    assert seen(OwnerIds=[OTHER]) == set()


def test_every_filter_of_snapshots_finds_one(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal, Size=3)
    ident = snapshot(rehearsal, volume, Description="some words")
    ec2.create_tags(Resources=[ident], Tags=[{"Key": "k", "Value": "v"}])
    for name, value in {
        "description": "some*",
        "encrypted": "false",
        "owner-id": ACCOUNT,
        "progress": "100%",
        "snapshot-id": ident,
        "status": "completed",
        "storage-tier": "standard",
        "tag:k": "v",
        "tag-key": "k",
        "volume-id": volume,
        "volume-size": "3",
    }.items():
        wanted = [{"Name": name, "Values": [value]}]
        found = ec2.describe_snapshots(OwnerIds=["self"], Filters=wanted)["Snapshots"]
        assert [one["SnapshotId"] for one in found] == [ident], name
    bad = [{"Name": "nonsense", "Values": ["x"]}]
    assert refusal(ec2.describe_snapshots, Filters=bad)[0] == "InvalidParameterValue"


def test_pages_and_ids_of_snapshots(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    made = {snapshot(rehearsal, volume) for _ in range(7)}
    pager = ec2.get_paginator("describe_snapshots")
    pages = list(pager.paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(one["Snapshots"]) for one in pages] == [5, 2]
    assert {found["SnapshotId"] for one in pages for found in one["Snapshots"]} == made
    both = {"SnapshotIds": list(made), "MaxResults": 5}
    assert refusal(ec2.describe_snapshots, **both)[0] == "InvalidParameterCombination"
    assert refusal(ec2.describe_snapshots, SnapshotIds=[UNKNOWN]) == (
        "InvalidSnapshot.NotFound",
        f"The snapshot '{UNKNOWN}' does not exist.",
    )
    assert refusal(ec2.describe_snapshots, SnapshotIds=["x"])[0] == "InvalidParameterValue"


# ---------------------------------------------------------------- sharing


def test_who_may_make_volumes_of_a_snapshot(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))
    wanted = {"SnapshotId": ident, "Attribute": "createVolumePermission"}

    def permissions() -> Any:
        return ec2.describe_snapshot_attribute(**wanted)["CreateVolumePermissions"]

    assert permissions() == []
    add = {"Add": [{"UserId": OTHER}, {"Group": "all"}]}
    ec2.modify_snapshot_attribute(SnapshotId=ident, CreateVolumePermission=add)
    assert permissions() == add["Add"]
    public = ec2.describe_snapshots(RestorableByUserIds=["all"], OwnerIds=["self"])
    assert [one["SnapshotId"] for one in public["Snapshots"]] == [ident]
    ec2.modify_snapshot_attribute(**wanted, OperationType="remove", GroupNames=["all"])
    assert permissions() == [{"UserId": OTHER}]
    ec2.modify_snapshot_attribute(**wanted, OperationType="add", UserIds=[OTHER])
    assert permissions() == [{"UserId": OTHER}]
    ec2.reset_snapshot_attribute(**wanted)
    assert permissions() == []
    codes = ec2.describe_snapshot_attribute(SnapshotId=ident, Attribute="productCodes")
    assert codes["ProductCodes"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Add": [{"UserId": "ann"}]}, "InvalidUserID.Malformed"),
        ({"Add": [{"UserId": OTHER}], "Remove": [{"Group": "all"}]}, "InvalidParameterCombination"),
        ({}, "InvalidParameterCombination"),
    ],
)
def test_permissions_are_checked(rehearsal: Rehearsal, change: dict[str, Any], code: str) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))
    modify = ec2.modify_snapshot_attribute
    assert refusal(modify, SnapshotId=ident, CreateVolumePermission=change)[0] == code


def test_what_the_default_key_encrypts_is_not_shared(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    ident = snapshot(rehearsal, create(rehearsal, Encrypted=True))
    change = {"Add": [{"UserId": OTHER}]}
    found = refusal(ec2.modify_snapshot_attribute, SnapshotId=ident, CreateVolumePermission=change)
    assert found == (
        "OperationNotPermitted",
        "Encrypted snapshots with EBS default key cannot be shared",
    )
    mine = snapshot(rehearsal, create(rehearsal, Encrypted=True, KmsKeyId="mine"))
    ec2.modify_snapshot_attribute(SnapshotId=mine, CreateVolumePermission=change)


def test_snapshots_of_others_are_theirs(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    assert refusal(ec2.delete_snapshot, SnapshotId=ROOT_SNAPSHOT)[0] == "AuthFailure"
    change = {"Add": [{"UserId": OTHER}]}
    modify = {"SnapshotId": ROOT_SNAPSHOT, "CreateVolumePermission": change}
    assert refusal(ec2.modify_snapshot_attribute, **modify)[0] == "AuthFailure"


# ---------------------------------------------------------------- copying


def test_a_copy_in_another_region_holds_the_same(rehearsal: Rehearsal) -> None:
    volume = create(rehearsal)
    write(rehearsal, volume, b"data")
    ident = snapshot(rehearsal, volume)
    west = rehearsal.client("ec2", "us-west-2")
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "k", "Value": "v"}]}]
    wanted = {"SourceRegion": REGION, "SourceSnapshotId": ident}
    made = west.copy_snapshot(**wanted, TagSpecifications=tags)
    assert made["Tags"] == tags[0]["Tags"]
    rehearsal.client("ec2").delete_snapshot(SnapshotId=ident)
    rehearsal.advance(2)
    [copy] = west.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"]
    assert (copy["State"], copy["VolumeId"], copy["VolumeSize"]) == ("completed", "vol-ffffffff", 1)
    assert (copy["TransferType"], copy["Encrypted"]) == ("standard", False)
    assert read(file_of_snapshot(rehearsal, made["SnapshotId"]), 4) == b"data"
    assert not file_of_snapshot(rehearsal, ident).exists()


def test_a_copy_may_be_encrypted(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))
    wanted = {"SourceRegion": REGION, "SourceSnapshotId": ident}
    made = ec2.copy_snapshot(**wanted, Encrypted=True)["SnapshotId"]
    assert snapshot_of(rehearsal, made)["Encrypted"] is True
    timed = ec2.copy_snapshot(**wanted, CompletionDurationMinutes=30)["SnapshotId"]
    assert snapshot_of(rehearsal, timed)["TransferType"] == "time-based"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"SourceSnapshotId": UNKNOWN}, "InvalidSnapshot.NotFound"),
        ({"SourceSnapshotId": "x"}, "InvalidParameterValue"),
        ({"SourceRegion": "mars-north-1"}, "InvalidParameterValue"),
        ({"CompletionDurationMinutes": 20}, "InvalidParameterValue"),
        ({"KmsKeyId": "mine"}, "InvalidParameterDependency"),
    ],
)
def test_what_cannot_be_copied(rehearsal: Rehearsal, wanted: dict[str, Any], code: str) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))
    given = {"SourceRegion": REGION, "SourceSnapshotId": ident, **wanted}
    assert refusal(ec2.copy_snapshot, **given)[0] == code


def test_a_pending_snapshot_is_not_copied(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    given = {"SourceRegion": REGION, "SourceSnapshotId": ident}
    assert refusal(ec2.copy_snapshot, **given)[0] == "IncorrectState"


# ---------------------------------------------------------------- deleting


def test_a_deleted_snapshot_is_gone_with_its_room(rehearsal: Rehearsal) -> None:
    ec2, ident = rehearsal.client("ec2"), snapshot(rehearsal, create(rehearsal))
    ec2.delete_snapshot(SnapshotId=ident)
    assert refusal(ec2.delete_snapshot, SnapshotId=ident)[0] == "InvalidSnapshot.NotFound"
    assert file_of_snapshot(rehearsal, ident).exists()
    rehearsal.restart()
    rehearsal.advance(1)
    assert not file_of_snapshot(rehearsal, ident).exists()


def test_a_volume_is_made_of_a_snapshot_that_is_deleted_at_once(rehearsal: Rehearsal) -> None:
    ec2, first = rehearsal.client("ec2"), create(rehearsal)
    write(rehearsal, first, b"data")
    ident = snapshot(rehearsal, first)
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=ident)["VolumeId"]
    ec2.delete_snapshot(SnapshotId=ident)
    rehearsal.restart()
    rehearsal.advance(2)
    assert read(file_of(rehearsal, made), 4) == b"data"
    assert not file_of_snapshot(rehearsal, ident).exists()


def test_a_pending_snapshot_may_be_deleted(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    ident = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.delete_snapshot(SnapshotId=ident)
    rehearsal.advance(2)
    assert not file_of_snapshot(rehearsal, ident).exists()
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_a_snapshot_of_an_image_is_in_use(rehearsal: Rehearsal) -> None:
    ec2, instance = rehearsal.client("ec2"), launch(rehearsal)
    image = ec2.create_image(InstanceId=instance, Name="made")["ImageId"]
    rehearsal.advance(3)
    [found] = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    ident = found["SnapshotId"]
    assert refusal(ec2.delete_snapshot, SnapshotId=ident) == (
        "InvalidSnapshot.InUse",
        f"The snapshot {ident} is currently in use by {image}",
    )
    ec2.deregister_image(ImageId=image)
    ec2.delete_snapshot(SnapshotId=ident)
