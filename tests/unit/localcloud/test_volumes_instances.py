"""The volumes that instances are launched with, and what becomes of them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from runctl.localcloud.services.ec2.volumes import files
from tests.unit.localcloud.conftest import Rehearsal
from tests.unit.localcloud.ebs import (
    IMAGE,
    ROOT_SNAPSHOT,
    attach,
    create,
    devices_of,
    file_of,
    instance_of,
    launch,
    machine_of,
    read,
    refusal,
    snapshot,
    volume_of,
    write,
)


def disk(device: str = "/dev/sdf", **ebs: Any) -> dict[str, Any]:
    return {"DeviceName": device, "Ebs": ebs}


def volumes_of(rehearsal: Rehearsal, instance: str) -> dict[str, Any]:
    """Return the volumes that are attached to an instance, by device."""
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    found = rehearsal.client("ec2").describe_volumes(Filters=wanted)["Volumes"]
    return {one["Attachments"][0]["Device"]: one for one in found}


def test_an_instance_has_its_root(rehearsal: Rehearsal) -> None:
    instance = launch(rehearsal)
    [(device, root)] = volumes_of(rehearsal, instance).items()
    assert device == "/dev/xvda"
    assert (root["State"], root["Size"], root["VolumeType"]) == ("in-use", 8, "gp3")
    assert (root["Iops"], root["Throughput"], root["SnapshotId"]) == (3000, 125, ROOT_SNAPSHOT)
    [attachment] = root["Attachments"]
    assert (attachment["State"], attachment["DeleteOnTermination"]) == ("attached", True)
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached"}
    assert machine_of(rehearsal, instance).volumes == {}
    assert machine_of(rehearsal, instance).spec.disk_bytes == 8 << 30


def test_volumes_are_attaching_while_the_instance_is_pending(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    made = ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, BlockDeviceMappings=[disk(VolumeSize=1)]
    )
    instance = made["Instances"][0]["InstanceId"]
    assert devices_of(rehearsal, instance) == {}
    told = [one["Attachments"][0]["State"] for one in ec2.describe_volumes()["Volumes"]]
    assert told == ["attaching", "attaching"]
    rehearsal.advance(2)
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached", "/dev/sdf": "attached"}


def test_a_call_changes_what_the_image_says_of_the_root(rehearsal: Rehearsal) -> None:
    changed = disk("/dev/xvda", VolumeSize=20, VolumeType="gp2", DeleteOnTermination=False)
    instance = launch(rehearsal, BlockDeviceMappings=[changed])
    root = volumes_of(rehearsal, instance)["/dev/xvda"]
    assert (root["Size"], root["VolumeType"], root["Iops"]) == (20, "gp2", 100)
    assert "Throughput" not in root
    assert root["Attachments"][0]["DeleteOnTermination"] is False
    assert machine_of(rehearsal, instance).spec.disk_bytes == 20 << 30


def test_data_volumes_are_in_the_machine(rehearsal: Rehearsal) -> None:
    wanted = [
        disk("/dev/sdf", VolumeSize=5, VolumeType="gp3", Throughput=250, Encrypted=True),
        disk("/dev/sdg", VolumeSize=6),
    ]
    instance = launch(rehearsal, BlockDeviceMappings=wanted)
    found = volumes_of(rehearsal, instance)
    first, second = found["/dev/sdf"], found["/dev/sdg"]
    assert (first["Size"], first["Throughput"], first["Encrypted"]) == (5, 250, True)
    assert (second["Size"], second["VolumeType"]) == (6, "gp2")
    shown = machine_of(rehearsal, instance).volumes
    assert set(shown) == {first["VolumeId"], second["VolumeId"]}
    assert file_of(rehearsal, first["VolumeId"]).stat().st_size == 5 << 30


def test_a_data_volume_of_a_snapshot_holds_its_bytes(rehearsal: Rehearsal) -> None:
    volume = create(rehearsal, Size=2)
    write(rehearsal, volume, b"data")
    ident = snapshot(rehearsal, volume)
    instance = launch(rehearsal, BlockDeviceMappings=[disk(SnapshotId=ident)])
    data = volumes_of(rehearsal, instance)["/dev/sdf"]
    assert (data["Size"], data["SnapshotId"]) == (2, ident)
    assert read(file_of(rehearsal, data["VolumeId"]), 4) == b"data"


def test_tags_of_volumes(rehearsal: Rehearsal) -> None:
    tags = [{"Key": "Name", "Value": "v"}]
    wanted = [
        {"ResourceType": "volume", "Tags": tags},
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "i"}]},
    ]
    instance = launch(rehearsal, TagSpecifications=wanted, BlockDeviceMappings=[disk(VolumeSize=1)])
    assert [one["Tags"] for one in volumes_of(rehearsal, instance).values()] == [tags, tags]


def test_tags_of_volumes_come_from_a_template_too(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    tags = [{"Key": "from", "Value": "template"}]
    data = {"ImageId": IMAGE, "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]}
    ec2.create_launch_template(LaunchTemplateName="one", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "one"}
    made = ec2.run_instances(LaunchTemplate=template, MinCount=1, MaxCount=1)
    rehearsal.advance(2)
    found = volumes_of(rehearsal, made["Instances"][0]["InstanceId"])
    assert found["/dev/xvda"]["Tags"] == tags


def test_nothing_at_a_device(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    first = launch(rehearsal, BlockDeviceMappings=[disk(VolumeSize=1)])
    image = ec2.create_image(InstanceId=first, Name="with data")["ImageId"]
    rehearsal.advance(3)
    none = [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    second = launch_of(rehearsal, image)
    third = launch_of(rehearsal, image, BlockDeviceMappings=none)
    assert set(volumes_of(rehearsal, second)) == {"/dev/xvda", "/dev/sdf"}
    assert set(volumes_of(rehearsal, third)) == {"/dev/xvda"}


def launch_of(rehearsal: Rehearsal, image: str, **more: Any) -> str:
    ec2 = rehearsal.client("ec2")
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **more)
    rehearsal.advance(2)
    return str(made["Instances"][0]["InstanceId"])


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        (
            [disk("/dev/xvda", VolumeSize=7)],
            "InvalidBlockDeviceMapping",
            f"Volume of size 7GB is smaller than  snapshot '{ROOT_SNAPSHOT}', expect size >= 8GB",
        ),
        (
            [disk(VolumeSize=1), disk(VolumeSize=2)],
            "InvalidBlockDeviceMapping",
            "The device '/dev/sdf' is used in more than one block-device mapping",
        ),
        (
            [disk("/dev/xvda", SnapshotId="snap-0123456789abcdef0")],
            "InvalidBlockDeviceMapping",
            "snapshotId cannot be modified on root device",
        ),
        (
            [disk(VolumeSize=10, VolumeType="gp2", Throughput=250)],
            "InvalidBlockDeviceMapping",
            "throughput cannot be specified with the volumeType of device '/dev/sdf'",
        ),
        (
            [disk(VolumeType="gp3")],
            "MissingParameter",
            "The request must contain the parameter size or snapshotId",
        ),
        ([disk(SnapshotId="snap-0123456789abcdef0")], "InvalidSnapshot.NotFound", "does not exist"),
        ([disk(VolumeSize=1, VolumeType="st1")], "InvalidParameterValue", "at least 125 GiB"),
        ([disk(VolumeSize=9, VolumeType="io1")], "InvalidParameterCombination", "iops"),
        ([{"DeviceName": "/dev/sdf"}], "InvalidBlockDeviceMapping", "/dev/sdf"),
    ],
)
def test_mappings_are_checked(
    rehearsal: Rehearsal, wanted: list[dict[str, Any]], code: str, words: str
) -> None:
    ec2 = rehearsal.client("ec2")
    run = {"ImageId": IMAGE, "MinCount": 1, "MaxCount": 1, "BlockDeviceMappings": wanted}
    found = refusal(ec2.run_instances, **run)
    assert found[0] == code
    assert words in found[1]
    assert ec2.describe_volumes()["Volumes"] == []
    assert ec2.describe_instances()["Reservations"] == []


def test_local_disks_are_no_volumes(rehearsal: Rehearsal) -> None:
    local = [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]
    instance = launch(rehearsal, BlockDeviceMappings=local)
    assert set(volumes_of(rehearsal, instance)) == {"/dev/xvda"}


def test_the_end_of_an_instance_deletes_some_volumes_and_frees_others(
    rehearsal: Rehearsal,
) -> None:
    ec2 = rehearsal.client("ec2")
    wanted = [
        disk("/dev/sdf", VolumeSize=1, DeleteOnTermination=True),
        disk("/dev/sdg", VolumeSize=1, DeleteOnTermination=False),
    ]
    instance, extra = launch(rehearsal, BlockDeviceMappings=wanted), create(rehearsal)
    attach(rehearsal, extra, instance, "/dev/sdh")
    found = volumes_of(rehearsal, instance)
    ec2.terminate_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    left = {one["VolumeId"]: one["State"] for one in ec2.describe_volumes()["Volumes"]}
    assert left == {found["/dev/sdg"]["VolumeId"]: "available", extra: "available"}
    assert not file_of(rehearsal, found["/dev/sdf"]["VolumeId"]).exists()
    assert file_of(rehearsal, extra).exists()
    assert devices_of(rehearsal, instance) == {}


def test_what_is_to_be_deleted_with_an_instance_can_be_changed(rehearsal: Rehearsal) -> None:
    ec2, instance = rehearsal.client("ec2"), launch(rehearsal)
    change = [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}]
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=change)
    root = volumes_of(rehearsal, instance)["/dev/xvda"]
    assert root["Attachments"][0]["DeleteOnTermination"] is False
    ec2.terminate_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    assert volume_of(rehearsal, root["VolumeId"])["State"] == "available"


def test_volumes_are_in_the_machine_again_after_stop_and_start(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    instance = launch(rehearsal, BlockDeviceMappings=[disk(VolumeSize=1)])
    ec2.stop_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached", "/dev/sdf": "attached"}
    ec2.start_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    [volume] = machine_of(rehearsal, instance).volumes.values()
    assert volume.device == "/dev/sdf"


def test_a_launch_whose_volume_finds_no_room_fails(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, size_bytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "make_blank", fail)
    instance = launch(rehearsal, BlockDeviceMappings=[disk(VolumeSize=1)])
    rehearsal.advance(2)
    found = instance_of(rehearsal, instance)
    assert found["State"]["Name"] == "terminated"
    assert "No space left on device" in found["StateReason"]["Message"]
    assert rehearsal.client("ec2").describe_volumes()["Volumes"] == []


def test_a_launch_is_finished_with_its_volumes_after_a_restart(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    made = ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, BlockDeviceMappings=[disk(VolumeSize=1)]
    )
    instance = made["Instances"][0]["InstanceId"]
    rehearsal.restart()
    rehearsal.advance(3)
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached", "/dev/sdf": "attached"}
    assert len(machine_of(rehearsal, instance).volumes) == 1


def test_an_end_is_finished_with_its_volumes_after_a_restart(rehearsal: Rehearsal) -> None:
    ec2, instance = rehearsal.client("ec2"), launch(rehearsal)
    ec2.terminate_instances(InstanceIds=[instance])
    rehearsal.restart()
    rehearsal.advance(3)
    assert rehearsal.client("ec2").describe_volumes()["Volumes"] == []
