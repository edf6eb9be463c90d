"""Volumes in detail: what is refused, described, filtered, attached, mapped at a launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.fidelity.rows.volumes import NO_SNAPSHOT, UNKNOWN, root_of, zone
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of, wait_until

CODES = "Error codes for the Amazon EC2 API"
CREATE = "CreateVolume"
RUN = "RunInstances"


def row(
    says: str, call: str, parameters: Parameters, outcome: Refused | Answered, source: str = CODES
) -> Row:
    return Row(says, "ec2", call, parameters, outcome, source)


def bad(says: str, outcome: Refused, **more: Any) -> Row:
    """A volume that AWS would not make."""
    return row(
        says,
        "create_volume",
        lambda world: {"AvailabilityZone": zone(world), **more},
        outcome,
        CREATE,
    )


def only(name: str) -> Callable[[Mapping[str, Any]], Any]:
    def pick(answer: Mapping[str, Any]) -> Any:
        [found] = answer[name]
        return found

    return pick


def of_volume(says: str, name: str, value: str | Callable[[World], str]) -> Row:
    """A filter by which the root volume of the running instance is found."""

    def parameters(world: World) -> dict[str, Any]:
        wanted = value(world) if callable(value) else value
        both = [
            {"Name": "volume-id", "Values": [root_of(world)]},
            {"Name": name, "Values": [wanted]},
        ]
        return {"Filters": both}

    outcome = Answered(lambda answer: len(answer["Volumes"]) == 1)
    return row(says, "describe_volumes", parameters, outcome, "DescribeVolumes")


def image_snapshot(world: World) -> str:
    """Return the snapshot of the root of the image."""
    [image] = world.client("ec2").describe_images(ImageIds=[world.image])["Images"]
    return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def launched_with(says: str, outcome: Refused, *mappings: Mapping[str, Any]) -> Row:
    return row(
        says,
        "run_instances",
        lambda world: {
            "ImageId": world.image,
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "BlockDeviceMappings": list(mappings),
        },
        outcome,
        RUN,
    )


def disk(device: str, **ebs: Any) -> dict[str, Any]:
    return {"DeviceName": device, "Ebs": ebs}


ROWS = [
    # -- what cannot be made
    bad(
        "a gp2 volume has at least 1 GiB",
        Refused("InvalidParameterValue", "at least 1 GiB"),
        Size=0,
    ),
    bad(
        "a gp2 volume has at most 16,384 GiB",
        Refused("InvalidParameterValue"),
        Size=16385,
        VolumeType="gp2",
    ),
    bad(
        "a standard volume has at most 1,024 GiB",
        Refused("InvalidParameterValue"),
        Size=1025,
        VolumeType="standard",
    ),
    bad(
        "an io1 volume has at least 4 GiB",
        Refused("InvalidParameterValue"),
        Size=3,
        VolumeType="io1",
        Iops=100,
    ),
    bad(
        "an sc1 volume has at least 125 GiB",
        Refused("InvalidParameterValue", "125"),
        Size=124,
        VolumeType="sc1",
    ),
    bad(
        "an io1 volume needs its IOPS",
        Refused("InvalidParameterCombination", "iops must be specified for io1 volumes"),
        Size=10,
        VolumeType="io1",
    ),
    bad(
        "an io1 volume has at least 100 IOPS",
        Refused("InvalidParameterValue"),
        Size=10,
        VolumeType="io1",
        Iops=99,
    ),
    bad(
        "IOPS of an io1 volume are no more than 50 a GiB",
        Refused("InvalidParameterValue", "Iops to volume size ratio of 100.000000 is too high"),
        Size=10,
        VolumeType="io1",
        Iops=1000,
    ),
    bad(
        "throughput of a gp3 volume is no more than a quarter of its IOPS",
        Refused("InvalidParameterValue", "Throughput (MiBps) to iops ratio of 0.333333 is too"),
        Size=10,
        VolumeType="gp3",
        Throughput=1000,
    ),
    bad(
        "a gp3 volume has at least 125 MiB/s",
        Refused("InvalidParameterValue"),
        Size=10,
        VolumeType="gp3",
        Throughput=100,
    ),
    bad(
        "throughput is not for io2 volumes",
        Refused("InvalidParameterCombination"),
        Size=10,
        VolumeType="io2",
        Iops=100,
        Throughput=125,
    ),
    bad(
        "Multi-Attach is not for gp3 volumes",
        Refused("InvalidParameterCombination"),
        Size=10,
        VolumeType="gp3",
        MultiAttachEnabled=True,
    ),
    bad(
        "a key is only for an encrypted volume",
        Refused("InvalidParameterDependency", "requires the parameter Encrypted to be set"),
        Size=1,
        KmsKeyId="alias/aws/ebs",
    ),
    bad(
        "an ill-formed snapshot id is InvalidParameterValue",
        Refused("InvalidParameterValue", "nonsense"),
        SnapshotId="nonsense",
    ),
    row(
        "a volume is not smaller than its snapshot",
        "create_volume",
        lambda world: {
            "AvailabilityZone": zone(world),
            "SnapshotId": image_snapshot(world),
            "Size": 1,
        },
        Refused("InvalidParameterValue"),
        CREATE,
    ),
    row(
        "a volume may be made of the public snapshot of an image",
        "create_volume",
        lambda world: {
            "AvailabilityZone": zone(world),
            "SnapshotId": image_snapshot(world),
            "DryRun": True,
        },
        Refused("DryRunOperation", status=412),
        CREATE,
    ),
    # -- what is described
    row(
        "several unknown volumes are all named",
        "describe_volumes",
        {"VolumeIds": [UNKNOWN, UNKNOWN.replace("0123", "9999")]},
        Refused("InvalidVolume.NotFound", "do not exist"),
    ),
    row(
        "ids and a page size of volumes do not go together",
        "describe_volumes",
        lambda world: {"VolumeIds": [root_of(world)], "MaxResults": 5},
        Refused("InvalidParameterCombination"),
        "DescribeVolumes",
    ),
    row(
        "a page of fewer than five volumes is refused",
        "describe_volumes",
        {"MaxResults": 1},
        Refused("InvalidParameterValue"),
        "DescribeVolumes",
    ),
    row(
        "a root volume is in use, attached, and deleted with its instance",
        "describe_volumes",
        lambda world: {"VolumeIds": [root_of(world)]},
        Answered(
            lambda answer: (
                (
                    only("Volumes")(answer)["State"],
                    only("Volumes")(answer)["Attachments"][0]["State"],
                    only("Volumes")(answer)["Attachments"][0]["DeleteOnTermination"],
                )
                == ("in-use", "attached", True)
            )
        ),
        "API_VolumeAttachment",
    ),
    of_volume("volumes are found by instance", "attachment.instance-id", lambda w: w.instance),
    of_volume("volumes are found by device", "attachment.device", "/dev/xvda"),
    of_volume("volumes are found by device, with a wildcard", "attachment.device", "/dev/*"),
    of_volume("volumes are found by the state of an attachment", "attachment.status", "attached"),
    of_volume(
        "volumes are found by what ends with the instance",
        "attachment.delete-on-termination",
        "true",
    ),
    of_volume("volumes are found by zone", "availability-zone", lambda w: f"{w.region}?"),
    of_volume("volumes are found by encryption", "encrypted", "false"),
    of_volume("volumes are found by Multi-Attach", "multi-attach-enabled", "false"),
    of_volume("volumes are found by size", "size", "8"),
    of_volume("volumes are found by snapshot", "snapshot-id", image_snapshot),
    of_volume("volumes are found by state", "status", "in-use"),
    of_volume("volumes are found by the key of a tag", "tag-key", "runctl:owner"),
    of_volume("volumes are found by the value of a tag", "tag:runctl:owner", "fidelity-*"),
    of_volume("volumes are found by type", "volume-type", "gp?"),
    row(
        "the status of a sound volume is ok",
        "describe_volume_status",
        lambda world: {"VolumeIds": [root_of(world)]},
        Answered(lambda answer: only("VolumeStatuses")(answer)["VolumeStatus"]["Status"] == "ok"),
        "DescribeVolumeStatus",
    ),
    row(
        "the status of an unknown volume is InvalidVolume.NotFound",
        "describe_volume_status",
        {"VolumeIds": [UNKNOWN]},
        Refused("InvalidVolume.NotFound"),
    ),
    row(
        "I/O of a volume is not enabled by itself",
        "describe_volume_attribute",
        lambda world: {"VolumeId": root_of(world), "Attribute": "autoEnableIO"},
        Answered(lambda answer: answer["AutoEnableIO"] == {"Value": False}),
        "DescribeVolumeAttribute",
    ),
    row(
        "a volume that was never modified has no modification",
        "describe_volumes_modifications",
        lambda world: {"VolumeIds": [root_of(world)]},
        Refused("InvalidVolumeModification.NotFound", "does not exist"),
    ),
    row(
        "an unknown filter of modifications is refused",
        "describe_volumes_modifications",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue", "nonsense"),
    ),
    row(
        "IOPS are not for gp2 volumes, also later",
        "modify_volume",
        lambda world: {"VolumeId": root_of(world), "VolumeType": "gp2", "Iops": 3000},
        Refused("InvalidParameterCombination", "iops"),
        "ModifyVolume",
    ),
    # -- attachments
    row(
        "attaching an unknown volume is InvalidVolume.NotFound",
        "attach_volume",
        lambda world: {"VolumeId": UNKNOWN, "InstanceId": world.instance, "Device": "/dev/sdf"},
        Refused("InvalidVolume.NotFound"),
    ),
    row(
        "attaching to an unknown instance is InvalidInstanceID.NotFound",
        "attach_volume",
        lambda world: {
            "VolumeId": world.volume,
            "InstanceId": "i-0123456789abcdef0",
            "Device": "/dev/sdf",
        },
        Refused("InvalidInstanceID.NotFound"),
    ),
    row(
        "attaching a volume that is in use is VolumeInUse",
        "attach_volume",
        lambda world: {
            "VolumeId": root_of(world),
            "InstanceId": world.instance,
            "Device": "/dev/sdg",
        },
        Refused("VolumeInUse", "is already attached to an instance"),
    ),
    row(
        "a dry run of an attachment is DryRunOperation",
        "attach_volume",
        lambda world: {
            "VolumeId": world.volume,
            "InstanceId": world.instance,
            "Device": "/dev/sdn",
            "DryRun": True,
        },
        Refused("DryRunOperation", status=412),
        "AttachVolume",
    ),
    # -- mappings of a launch
    launched_with(
        "a device stands in one mapping alone",
        Refused("InvalidBlockDeviceMapping", "used in more than one block-device mapping"),
        disk("/dev/sdf", VolumeSize=1),
        disk("/dev/sdf", VolumeSize=1),
    ),
    launched_with(
        "the snapshot of a root is the image's",
        Refused("InvalidBlockDeviceMapping", "snapshotId cannot be modified on root device"),
        disk("/dev/xvda", SnapshotId=NO_SNAPSHOT),
    ),
    launched_with(
        "a data volume needs a size or a snapshot",
        Refused("MissingParameter", "size or snapshotId"),
        disk("/dev/sdf", VolumeType="gp3"),
    ),
    launched_with(
        "a data volume of an unknown snapshot is InvalidSnapshot.NotFound",
        Refused("InvalidSnapshot.NotFound"),
        disk("/dev/sdf", SnapshotId=NO_SNAPSHOT),
    ),
    launched_with(
        "throughput of a mapping is for gp3 volumes alone",
        Refused("InvalidBlockDeviceMapping", "throughput cannot be specified"),
        disk("/dev/sdf", VolumeSize=10, VolumeType="gp2", Throughput=250),
    ),
]


def _a_deleted_volume_is_gone(world: World) -> None:
    ec2 = world.client("ec2")
    ident = ec2.create_volume(
        AvailabilityZone=zone(world), Size=1, TagSpecifications=world.tags("volume")
    )["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})
    ec2.delete_volume(VolumeId=ident)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})

    def is_gone() -> bool:
        wanted = [{"Name": "volume-id", "Values": [ident]}]
        return bool(ec2.describe_volumes(Filters=wanted)["Volumes"] == [])

    wait_until(is_gone, "it is still described")
    assert code_of(ec2.delete_volume, VolumeId=ident) == "InvalidVolume.NotFound"


STORIES = [
    Story("a deleted volume is gone", _a_deleted_volume_is_gone, "DeleteVolume"),
]
