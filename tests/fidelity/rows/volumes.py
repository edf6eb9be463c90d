"""EBS: volumes, attachments, snapshots."""

from __future__ import annotations

from typing import Any

from tests.fidelity.rows.commands import run
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of, wait_until

CODES = "Error codes for the Amazon EC2 API"
UNKNOWN = "vol-0123456789abcdef0"
NO_SNAPSHOT = "snap-0123456789abcdef0"


def row(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    return Row(says, "ec2", call, parameters, outcome, CODES)


def zone(world: World) -> str:
    return f"{world.region}a"


def bad(says: str, outcome: Refused, **more: Any) -> Row:
    """A volume that AWS would not make."""
    return row(
        says, "create_volume", lambda world: {"AvailabilityZone": zone(world), **more}, outcome
    )


ROWS = [
    *(
        row(
            f"{call} of an unknown volume is InvalidVolume.NotFound",
            call,
            {"VolumeId": UNKNOWN, **more},
            Refused("InvalidVolume.NotFound", f"'{UNKNOWN}' does not exist"),
        )
        for call, more in (
            ("delete_volume", {}),
            ("detach_volume", {}),
            ("modify_volume", {"Size": 10}),
            ("create_snapshot", {}),
            ("describe_volume_attribute", {"Attribute": "autoEnableIO"}),
        )
    ),
    row(
        "an unknown volume is not described",
        "describe_volumes",
        {"VolumeIds": [UNKNOWN]},
        Refused("InvalidVolume.NotFound"),
    ),
    row(
        "an ill-formed volume id is InvalidParameterValue",
        "describe_volumes",
        {"VolumeIds": ["nonsense"]},
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "an unknown filter of volumes is refused",
        "describe_volumes",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "an unknown snapshot is InvalidSnapshot.NotFound",
        "describe_snapshots",
        {"SnapshotIds": [NO_SNAPSHOT]},
        Refused("InvalidSnapshot.NotFound"),
    ),
    row(
        "an unknown snapshot cannot be deleted",
        "delete_snapshot",
        {"SnapshotId": NO_SNAPSHOT},
        Refused("InvalidSnapshot.NotFound"),
    ),
    bad(
        "a volume needs a size or a snapshot",
        Refused("MissingParameter"),
        VolumeType="gp3",
    ),
    bad(
        "a gp3 volume is no larger than 65,536 GiB",
        Refused("InvalidParameterValue"),
        Size=70000,
        VolumeType="gp3",
    ),
    bad(
        "an st1 volume has at least 125 GiB",
        Refused("InvalidParameterValue", "125"),
        Size=10,
        VolumeType="st1",
    ),
    bad(
        "an io2 volume needs its IOPS",
        Refused("InvalidParameterCombination", "iops must be specified for io2 volumes"),
        Size=10,
        VolumeType="io2",
    ),
    bad(
        "a gp3 volume has at least 3,000 IOPS",
        Refused("InvalidParameterValue"),
        Size=10,
        VolumeType="gp3",
        Iops=100,
    ),
    bad(
        "IOPS of a gp3 volume are no more than 500 a GiB",
        Refused("InvalidParameterValue"),
        Size=8,
        VolumeType="gp3",
        Iops=10000,
    ),
    bad(
        "IOPS are not for gp2 volumes",
        Refused("InvalidParameterCombination"),
        Size=10,
        VolumeType="gp2",
        Iops=1000,
    ),
    bad(
        "throughput is for gp3 volumes alone",
        Refused("InvalidParameterCombination"),
        Size=10,
        VolumeType="gp2",
        Throughput=200,
    ),
    bad(
        "a volume of an unknown snapshot is InvalidSnapshot.NotFound",
        Refused("InvalidSnapshot.NotFound"),
        SnapshotId=NO_SNAPSHOT,
    ),
    row(
        "a zone that does not exist is refused",
        "create_volume",
        {"AvailabilityZone": "us-east-1-1a", "Size": 1},
        Refused("InvalidZone.NotFound"),
    ),
    row(
        "a dry run of a volume is DryRunOperation",
        "create_volume",
        lambda world: {"AvailabilityZone": zone(world), "Size": 1, "DryRun": True},
        Refused("DryRunOperation"),
    ),
    row(
        "a new gp3 volume has 3,000 IOPS and 125 MiB/s",
        "describe_volumes",
        lambda world: {"VolumeIds": [world.volume]},
        Answered(
            lambda answer: (
                (
                    answer["Volumes"][0]["Iops"],
                    answer["Volumes"][0]["Throughput"],
                    answer["Volumes"][0]["State"],
                )
                == (3000, 125, "available")
            )
        ),
    ),
    row(
        "a volume that is available cannot be detached",
        "detach_volume",
        lambda world: {"VolumeId": world.volume},
        Refused("IncorrectState"),
    ),
    row(
        "a device name that is none is refused",
        "attach_volume",
        lambda world: {
            "VolumeId": world.volume,
            "InstanceId": world.instance,
            "Device": "nonsense",
        },
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "a device that is taken is refused",
        "attach_volume",
        lambda world: {
            "VolumeId": world.volume,
            "InstanceId": world.instance,
            "Device": "/dev/xvda",
        },
        Refused("InvalidParameterValue", "already in use"),
    ),
    row(
        "a volume never shrinks",
        "modify_volume",
        lambda world: {"VolumeId": root_of(world), "Size": 1},
        Refused("InvalidParameterValue"),
    ),
    row(
        "the root of a running instance cannot be detached",
        "detach_volume",
        lambda world: {"VolumeId": root_of(world)},
        Refused("OperationNotPermitted"),
    ),
    row(
        "a volume in use cannot be deleted",
        "delete_volume",
        lambda world: {"VolumeId": root_of(world)},
        Refused("VolumeInUse"),
    ),
]


def root_of(world: World) -> str:
    [reservation] = world.client("ec2").describe_instances(InstanceIds=[world.instance])[
        "Reservations"
    ]
    return str(reservation["Instances"][0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])


def _attach(world: World, volume: str, device: str) -> None:
    ec2 = world.client("ec2")
    ec2.attach_volume(VolumeId=volume, InstanceId=world.instance, Device=device)

    def is_attached() -> bool:
        [found] = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return [one["State"] for one in found["Attachments"]] == ["attached"]

    wait_until(is_attached, "the volume was never attached")


def _detach(world: World, volume: str) -> None:
    ec2 = world.client("ec2")
    ec2.detach_volume(VolumeId=volume)
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})


def _by_id(volume: str) -> str:
    return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def _new_volume(world: World, **more: Any) -> str:
    ec2 = world.client("ec2")
    [found] = ec2.describe_volumes(VolumeIds=[world.volume])["Volumes"]
    ident = str(
        ec2.create_volume(
            AvailabilityZone=found["AvailabilityZone"],
            TagSpecifications=world.tags("volume"),
            **more,
        )["VolumeId"]
    )
    world.later(lambda: ec2.delete_volume(VolumeId=ident))
    ec2.get_waiter("volume_available").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})
    return ident


def _bytes_survive_a_snapshot(world: World) -> None:
    """A file system is made, written, taken away, copied, and read on the copy."""
    ec2, volume = world.client("ec2"), world.volume
    _attach(world, volume, "/dev/sdf")
    made = run(
        world,
        f"for i in $(seq 50); do test -b {_by_id(volume)} && break; sleep 0.2; done",
        f"mkfs.ext4 -q {_by_id(volume)} && mkdir -p /mnt/one && mount {_by_id(volume)} /mnt/one",
        "echo what was written >/mnt/one/file && sync",
    )
    assert made["Status"] == "Success", made["StandardErrorContent"]
    assert code_of(
        ec2.attach_volume, VolumeId=volume, InstanceId=world.instance, Device="/dev/sdg"
    ) == ("VolumeInUse")
    assert run(world, "umount /mnt/one")["Status"] == "Success"
    _detach(world, volume)
    snapshot = ec2.create_snapshot(VolumeId=volume, TagSpecifications=world.tags("snapshot"))
    ident = snapshot["SnapshotId"]
    assert snapshot["State"] == "pending"
    world.later(lambda: ec2.delete_snapshot(SnapshotId=ident))
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[ident], WaiterConfig={"Delay": 2})
    copy = _new_volume(world, SnapshotId=ident, VolumeType="gp3")
    _attach(world, copy, "/dev/sdh")
    read = run(
        world,
        f"for i in $(seq 50); do test -b {_by_id(copy)} && break; sleep 0.2; done",
        f"mkdir -p /mnt/two && mount -o ro {_by_id(copy)} /mnt/two && cat /mnt/two/file",
        "umount /mnt/two",
    )
    assert read["StandardOutputContent"] == "what was written\n", read["StandardErrorContent"]
    _detach(world, copy)


def _one_token_makes_one_volume(world: World) -> None:
    ec2, token = world.client("ec2"), world.name("token")
    wanted = {"AvailabilityZone": zone(world), "Size": 1, "ClientToken": token}
    first = ec2.create_volume(**wanted)["VolumeId"]
    world.later(lambda: ec2.delete_volume(VolumeId=first))
    assert ec2.create_volume(**wanted)["VolumeId"] == first
    assert code_of(ec2.create_volume, **{**wanted, "Size": 2}) == "IdempotentParameterMismatch"


def _another_zone_is_a_mismatch(world: World) -> None:
    ec2 = world.client("ec2")
    [found] = ec2.describe_volumes(VolumeIds=[world.volume])["Volumes"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    other = next(one["ZoneName"] for one in zones if one["ZoneName"] != found["AvailabilityZone"])
    made = ec2.create_volume(
        AvailabilityZone=other, Size=1, TagSpecifications=world.tags("volume")
    )["VolumeId"]
    world.later(lambda: ec2.delete_volume(VolumeId=made))
    ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
    code = code_of(ec2.attach_volume, VolumeId=made, InstanceId=world.instance, Device="/dev/sdm")
    assert code == "InvalidVolume.ZoneMismatch"


def _a_volume_is_modified_once_at_a_time(world: World) -> None:
    ec2, ident = world.client("ec2"), _new_volume(world, Size=1, VolumeType="gp3")
    changed = ec2.modify_volume(VolumeId=ident, Size=2)["VolumeModification"]
    assert (changed["OriginalSize"], changed["TargetSize"]) == (1, 2)
    assert changed["ModificationState"] == "modifying"
    assert code_of(ec2.modify_volume, VolumeId=ident, Size=3) == "IncorrectModificationState"


STORIES = [
    Story("what a volume holds survives a snapshot", _bytes_survive_a_snapshot, "CreateSnapshot"),
    Story("one client token makes one volume", _one_token_makes_one_volume, "CreateVolume"),
    Story("a volume of another zone is a mismatch", _another_zone_is_a_mismatch, "AttachVolume"),
    Story(
        "a volume is modified once at a time",
        _a_volume_is_modified_once_at_a_time,
        "ModifyVolume",
    ),
]
