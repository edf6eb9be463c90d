"""Volumes in instances: attached, busy, detached, by AWS's conditions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.conftest import Rehearsal
from tests.unit.localcloud.ebs import (
    attach,
    attachments,
    create,
    devices_of,
    file_of,
    instance_of,
    launch,
    machine_of,
    refusal,
    volume_of,
)

IO2 = {"VolumeType": "io2", "Size": 4, "Iops": 100, "MultiAttachEnabled": True}


def root_of(rehearsal: Rehearsal, instance: str) -> str:
    [mapping] = instance_of(rehearsal, instance)["BlockDeviceMappings"]
    return str(mapping["Ebs"]["VolumeId"])


def test_a_volume_is_attaching_and_then_attached(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    ec2 = rehearsal.client("ec2")
    answer = ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    assert (answer["State"], answer["Device"]) == ("attaching", "/dev/sdf")
    assert (answer["VolumeId"], answer["InstanceId"]) == (volume, instance)
    assert volume_of(rehearsal, volume)["State"] == "in-use"
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached", "/dev/sdf": "attaching"}
    rehearsal.advance(0.1)
    assert attachments(rehearsal, volume) == ["attaching"]
    rehearsal.advance(0.2)
    assert attachments(rehearsal, volume) == ["attached"]
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached", "/dev/sdf": "attached"}
    shown = machine_of(rehearsal, instance).volumes[volume]
    assert (shown.device, shown.path) == ("/dev/sdf", str(file_of(rehearsal, volume)))
    [mapping] = [
        one
        for one in instance_of(rehearsal, instance)["BlockDeviceMappings"]
        if one["DeviceName"] == "/dev/sdf"
    ]
    assert mapping["Ebs"]["DeleteOnTermination"] is False


def test_a_volume_is_detaching_and_then_available(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, instance)
    answer = rehearsal.client("ec2").detach_volume(VolumeId=volume)
    assert (answer["State"], answer["InstanceId"]) == ("detaching", instance)
    rehearsal.advance(0.1)
    assert volume_of(rehearsal, volume)["State"] == "in-use"
    assert devices_of(rehearsal, instance)["/dev/sdf"] == "detaching"
    rehearsal.advance(0.2)
    found = volume_of(rehearsal, volume)
    assert (found["State"], found["Attachments"]) == ("available", [])
    assert devices_of(rehearsal, instance) == {"/dev/xvda": "attached"}
    assert machine_of(rehearsal, instance).volumes == {}
    assert file_of(rehearsal, volume).exists()


def test_a_mounted_volume_is_busy_until_it_is_unmounted(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, instance)
    machine_of(rehearsal, instance).busy.add(volume)
    rehearsal.client("ec2").detach_volume(VolumeId=volume, InstanceId=instance)
    rehearsal.advance(30)
    assert attachments(rehearsal, volume) == ["busy"]
    assert volume in machine_of(rehearsal, instance).volumes
    machine_of(rehearsal, instance).busy.clear()
    rehearsal.advance(3)
    assert volume_of(rehearsal, volume)["State"] == "available"


def test_a_busy_volume_can_be_forced(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, instance)
    machine_of(rehearsal, instance).busy.add(volume)
    ec2 = rehearsal.client("ec2")
    ec2.detach_volume(VolumeId=volume)
    rehearsal.advance(3)
    ec2.detach_volume(VolumeId=volume, Force=True)
    rehearsal.advance(1)
    assert volume_of(rehearsal, volume)["State"] == "available"


def test_a_busy_volume_comes_free_when_its_instance_stops(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, instance)
    machine_of(rehearsal, instance).busy.add(volume)
    ec2 = rehearsal.client("ec2")
    ec2.detach_volume(VolumeId=volume)
    ec2.stop_instances(InstanceIds=[instance])
    rehearsal.advance(5)
    assert volume_of(rehearsal, volume)["State"] == "available"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("nonsense", "nonsense is not a valid EBS device name."),
        (
            "/dev/xvda",
            "Invalid value '/dev/xvda' for unixDevice. Attachment point /dev/xvda is already in",
        ),
    ],
)
def test_devices_are_checked(rehearsal: Rehearsal, device: str, words: str) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach_volume = rehearsal.client("ec2").attach_volume
    found = refusal(attach_volume, VolumeId=volume, InstanceId=instance, Device=device)
    assert found[0] == "InvalidParameterValue"
    assert words in found[1]


def test_a_volume_is_attached_once(rehearsal: Rehearsal) -> None:
    volume, first, second = create(rehearsal), launch(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, first)
    attach_volume = rehearsal.client("ec2").attach_volume
    for instance in (first, second):
        found = refusal(attach_volume, VolumeId=volume, InstanceId=instance, Device="/dev/sdg")
        assert found == ("VolumeInUse", f"{volume} is already attached to an instance")


def test_a_volume_of_another_zone_is_a_mismatch(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal, AvailabilityZone="us-east-1b"), launch(rehearsal)
    wanted = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"}
    code, words = refusal(rehearsal.client("ec2").attach_volume, **wanted)
    assert code == "InvalidVolume.ZoneMismatch"
    assert words.startswith(f"The volume '{volume}' is not in the same availability zone")


def test_a_volume_that_is_being_made_is_not_attached(rehearsal: Rehearsal) -> None:
    instance, ec2 = launch(rehearsal), rehearsal.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    wanted = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"}
    assert refusal(ec2.attach_volume, **wanted) == (
        "IncorrectState",
        f"{volume} is not 'available'.",
    )


def test_the_state_of_the_instance_counts(rehearsal: Rehearsal) -> None:
    ec2, volume, ended = rehearsal.client("ec2"), create(rehearsal), launch(rehearsal)
    ec2.terminate_instances(InstanceIds=[ended])
    rehearsal.advance(3)
    image = instance_of(rehearsal, ended)["ImageId"]
    place = {"AvailabilityZone": "us-east-1a"}
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, Placement=place)
    pending = made["Instances"][0]["InstanceId"]
    for instance in (ended, pending):
        wanted = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"}
        assert refusal(ec2.attach_volume, **wanted) == (
            "IncorrectState",
            f"Instance '{instance}' is not 'running'.",
        )


def test_a_stopped_instance_gets_its_volume_when_it_starts(rehearsal: Rehearsal) -> None:
    ec2, volume, instance = rehearsal.client("ec2"), create(rehearsal), launch(rehearsal)
    ec2.stop_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    attach(rehearsal, volume, instance)
    assert attachments(rehearsal, volume) == ["attached"]
    assert volume not in machine_of(rehearsal, instance).volumes
    ec2.start_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    assert volume in machine_of(rehearsal, instance).volumes


def test_an_instance_has_so_many_volumes_at_most(rehearsal: Rehearsal) -> None:
    ec2, instance = rehearsal.client("ec2"), launch(rehearsal)
    letters = "bcdefghijklmnopqrstuvwxyz"
    names = [f"/dev/sd{one}" for one in letters] + ["/dev/xvdba"]
    for name in names:
        attach(rehearsal, create(rehearsal), instance, name)
    last = {"VolumeId": create(rehearsal), "InstanceId": instance, "Device": "/dev/xvdbb"}
    assert refusal(ec2.attach_volume, **last)[0] == "AttachmentLimitExceeded"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"VolumeId": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
        ({"VolumeId": "nonsense"}, "InvalidParameterValue"),
        ({"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ({"InstanceId": "nonsense"}, "InvalidInstanceID.Malformed"),
    ],
)
def test_ids_are_checked(rehearsal: Rehearsal, wanted: dict[str, Any], code: str) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    both = {"VolumeId": volume, "InstanceId": instance, **wanted}
    ec2 = rehearsal.client("ec2")
    assert refusal(ec2.attach_volume, Device="/dev/sdf", **both)[0] == code
    assert refusal(ec2.detach_volume, **both)[0] == code


def test_what_cannot_be_detached(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal)
    first, second = launch(rehearsal), launch(rehearsal)
    assert refusal(ec2.detach_volume, VolumeId=volume) == (
        "IncorrectState",
        f"Volume '{volume}' is in the 'available' state.",
    )
    attach(rehearsal, volume, first)
    for wrong in ({"InstanceId": second}, {"InstanceId": first, "Device": "/dev/sdg"}):
        found = refusal(ec2.detach_volume, VolumeId=volume, **wrong)
        assert found[0] == "InvalidAttachment.NotFound"


def test_a_root_is_detached_only_from_a_stopped_instance(rehearsal: Rehearsal) -> None:
    ec2, instance = rehearsal.client("ec2"), launch(rehearsal)
    root = root_of(rehearsal, instance)
    assert refusal(ec2.detach_volume, VolumeId=root) == (
        "OperationNotPermitted",
        f"Unable to detach root volume '{root}' from instance '{instance}'",
    )
    ec2.stop_instances(InstanceIds=[instance])
    rehearsal.advance(3)
    ec2.detach_volume(VolumeId=root)
    rehearsal.advance(3)
    assert volume_of(rehearsal, root)["State"] == "available"
    assert devices_of(rehearsal, instance) == {}
    other = launch(rehearsal)
    attach(rehearsal, root, other)
    assert root in machine_of(rehearsal, other).volumes


def test_a_shared_volume_is_attached_to_several(rehearsal: Rehearsal) -> None:
    ec2, volume = rehearsal.client("ec2"), create(rehearsal, **IO2)
    first, second = launch(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, first)
    attach(rehearsal, volume, second, "/dev/sdg")
    assert attachments(rehearsal, volume) == ["attached", "attached"]
    again = {"VolumeId": volume, "InstanceId": second, "Device": "/dev/sdh"}
    assert refusal(ec2.attach_volume, **again)[0] == "VolumeInUse"
    assert refusal(ec2.detach_volume, VolumeId=volume)[0] == "MissingParameter"
    ec2.detach_volume(VolumeId=volume, InstanceId=first)
    rehearsal.advance(2)
    found = volume_of(rehearsal, volume)
    assert found["State"] == "in-use"
    assert [one["InstanceId"] for one in found["Attachments"]] == [second]


def test_attaching_is_finished_after_a_restart(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    wanted = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"}
    rehearsal.client("ec2").attach_volume(**wanted)
    rehearsal.restart()
    rehearsal.advance(1)
    assert attachments(rehearsal, volume) == ["attached"]
    assert volume in machine_of(rehearsal, instance).volumes


@pytest.mark.parametrize("is_busy", [False, True])
def test_detaching_is_finished_after_a_restart(rehearsal: Rehearsal, is_busy: bool) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    attach(rehearsal, volume, instance)
    if is_busy:
        machine_of(rehearsal, instance).busy.add(volume)
    rehearsal.client("ec2").detach_volume(VolumeId=volume)
    if is_busy:
        rehearsal.advance(2)
        assert attachments(rehearsal, volume) == ["busy"]
        machine_of(rehearsal, instance).busy.clear()
    rehearsal.restart()
    rehearsal.advance(3)
    assert volume_of(rehearsal, volume)["State"] == "available"
    assert machine_of(rehearsal, instance).volumes == {}


def test_what_cannot_be_attached_yet_is_tried_again(rehearsal: Rehearsal) -> None:
    volume, instance = create(rehearsal), launch(rehearsal)
    machine_of(rehearsal, instance).refused.add(volume)
    attach(rehearsal, volume, instance)
    assert attachments(rehearsal, volume) == ["attaching"]
    machine_of(rehearsal, instance).refused.clear()
    rehearsal.advance(2)
    assert attachments(rehearsal, volume) == ["attached"]
