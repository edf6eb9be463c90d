"""Snapshots: found, shared, copied; encryption by default."""

from __future__ import annotations

from typing import Any

from tests.fidelity.rows.disks import image_snapshot, only, row
from tests.fidelity.rows.volumes import NO_SNAPSHOT, root_of
from tests.fidelity.table import Answered, Refused, Row, Story, World
from tests.fidelity.world import code_of

OTHER_ACCOUNT = "111122223333"


def of_snapshot(says: str, name: str, value: str) -> Row:
    """A filter by which the public snapshot of the image is found."""

    def parameters(world: World) -> dict[str, Any]:
        both = [
            {"Name": "snapshot-id", "Values": [image_snapshot(world)]},
            {"Name": name, "Values": [value]},
        ]
        return {"Filters": both}

    outcome = Answered(lambda answer: len(answer["Snapshots"]) == 1)
    return row(says, "describe_snapshots", parameters, outcome, "DescribeSnapshots")


ROWS = [
    row(
        "the snapshot of a public image is Amazon's, complete, and public",
        "describe_snapshots",
        lambda world: {
            "SnapshotIds": [image_snapshot(world)],
            "OwnerIds": ["amazon"],
            "RestorableByUserIds": ["all"],
        },
        Answered(
            lambda answer: (
                (only("Snapshots")(answer)["State"], only("Snapshots")(answer)["Progress"])
                == ("completed", "100%")
            )
        ),
        "DescribeSnapshots",
    ),
    row(
        "the snapshot of a public image is not one's own",
        "describe_snapshots",
        lambda world: {"SnapshotIds": [image_snapshot(world)], "OwnerIds": ["self"]},
        Answered(lambda answer: answer["Snapshots"] == []),
        "DescribeSnapshots",
    ),
    of_snapshot("snapshots are found by state", "status", "completed"),
    of_snapshot("snapshots are found by progress", "progress", "100%"),
    of_snapshot("snapshots are found by size", "volume-size", "8"),
    of_snapshot("snapshots are found by encryption", "encrypted", "false"),
    of_snapshot("snapshots are found by the alias of their owner", "owner-alias", "amazon"),
    of_snapshot("snapshots are found by tier", "storage-tier", "standard"),
    row(
        "an unknown filter of snapshots is refused",
        "describe_snapshots",
        {"OwnerIds": ["self"], "Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "an ill-formed id of a snapshot is InvalidParameterValue",
        "describe_snapshots",
        {"SnapshotIds": ["nonsense"]},
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "ids and a page size of snapshots do not go together",
        "describe_snapshots",
        lambda world: {"SnapshotIds": [image_snapshot(world)], "MaxResults": 5},
        Refused("InvalidParameterCombination"),
        "DescribeSnapshots",
    ),
    *(
        row(
            f"{call} of an unknown snapshot is InvalidSnapshot.NotFound",
            call,
            {"SnapshotId": NO_SNAPSHOT, **more},
            Refused("InvalidSnapshot.NotFound"),
        )
        for call, more in (
            ("describe_snapshot_attribute", {"Attribute": "createVolumePermission"}),
            ("reset_snapshot_attribute", {"Attribute": "createVolumePermission"}),
            (
                "modify_snapshot_attribute",
                {"CreateVolumePermission": {"Add": [{"UserId": OTHER_ACCOUNT}]}},
            ),
        )
    ),
    row(
        "copying an unknown snapshot is InvalidSnapshot.NotFound",
        "copy_snapshot",
        lambda world: {"SourceRegion": world.region, "SourceSnapshotId": NO_SNAPSHOT},
        Refused("InvalidSnapshot.NotFound"),
    ),
    row(
        "snapshots of an unknown instance are InvalidInstanceID.NotFound",
        "create_snapshots",
        {"InstanceSpecification": {"InstanceId": "i-0123456789abcdef0"}},
        Refused("InvalidInstanceID.NotFound"),
    ),
    row(
        "whether volumes are encrypted by default is told",
        "get_ebs_encryption_by_default",
        {},
        Answered(lambda answer: isinstance(answer["EbsEncryptionByDefault"], bool)),
        "GetEbsEncryptionByDefault",
    ),
    row(
        "the default key for volumes is told",
        "get_ebs_default_kms_key_id",
        {},
        Answered(lambda answer: "ebs" in answer["KmsKeyId"] or ":key/" in answer["KmsKeyId"]),
        "GetEbsDefaultKmsKeyId",
    ),
]


def _new_snapshot(world: World) -> str:
    ec2 = world.client("ec2")
    wanted = {"VolumeId": root_of(world), "TagSpecifications": world.tags("snapshot")}
    ident = str(ec2.create_snapshot(**wanted)["SnapshotId"])
    world.later(lambda: ec2.delete_snapshot(SnapshotId=ident))
    waiter = ec2.get_waiter("snapshot_completed")
    waiter.wait(SnapshotIds=[ident], WaiterConfig={"Delay": 2, "MaxAttempts": 300})
    return ident


def _a_snapshot_is_shared_and_not_any_more(world: World) -> None:
    ec2, ident = world.client("ec2"), _new_snapshot(world)
    attribute = {"SnapshotId": ident, "Attribute": "createVolumePermission"}
    modify = ec2.modify_snapshot_attribute

    def permissions() -> Any:
        return ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"]

    assert permissions() == []
    modify(SnapshotId=ident, CreateVolumePermission={"Add": [{"UserId": OTHER_ACCOUNT}]})
    assert permissions() == [{"UserId": OTHER_ACCOUNT}]
    modify(**attribute, OperationType="remove", UserIds=[OTHER_ACCOUNT])
    assert permissions() == []
    wrong = {"Add": [{"UserId": "ann"}]}
    code = code_of(modify, SnapshotId=ident, CreateVolumePermission=wrong)
    assert code == "InvalidUserID.Malformed"


def _a_copy_has_another_id_and_no_volume(world: World) -> None:
    ec2, ident = world.client("ec2"), _new_snapshot(world)
    copied = ec2.copy_snapshot(
        SourceRegion=world.region,
        SourceSnapshotId=ident,
        TagSpecifications=world.tags("snapshot"),
    )["SnapshotId"]
    world.later(lambda: ec2.delete_snapshot(SnapshotId=copied))
    [found] = ec2.describe_snapshots(SnapshotIds=[copied])["Snapshots"]
    assert (copied != ident, found["VolumeId"]) == (True, "vol-ffffffff")
    waiter = ec2.get_waiter("snapshot_completed")
    waiter.wait(SnapshotIds=[copied], WaiterConfig={"Delay": 2, "MaxAttempts": 300})


STORIES = [
    Story(
        "a snapshot is shared with an account, and no more",
        _a_snapshot_is_shared_and_not_any_more,
        "ModifySnapshotAttribute",
    ),
    Story(
        "a copy of a snapshot has an id of its own, and no volume",
        _a_copy_has_another_id_and_no_volume,
        "CopySnapshot",
    ),
]
