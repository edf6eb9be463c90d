"""Instances, volumes and snapshots of a rehearsal, and how their states are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.services.ec2.machineimages import public_parameters, published
from runctl.localcloud.services.ec2.volumes.files import snapshot_path, volume_path
from tests.unit.localcloud.conftest import REGION, Rehearsal
from tests.unit.localcloud.paper import PaperMachine

ZONE = "us-east-1a"
IMAGE = public_parameters(REGION)[
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
]
ROOT_SNAPSHOT = published(REGION)[IMAGE]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    """Return code and words of the error that a call has to end in."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def launch(rehearsal: Rehearsal, **more: Any) -> str:
    """Launch an instance in the zone of the volumes; return its id once it runs."""
    ec2 = rehearsal.client("ec2")
    wanted = {"Placement": {"AvailabilityZone": ZONE}, "InstanceType": "t3.micro", **more}
    answer = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, **wanted)
    rehearsal.advance(2)
    return str(answer["Instances"][0]["InstanceId"])


def create(rehearsal: Rehearsal, **more: Any) -> str:
    """Make a volume; return its id once it is available."""
    wanted = {"AvailabilityZone": ZONE, "Size": 1, "VolumeType": "gp3", **more}
    ident = rehearsal.client("ec2").create_volume(**wanted)["VolumeId"]
    rehearsal.advance(2)
    return str(ident)


def attach(rehearsal: Rehearsal, volume: str, instance: str, device: str = "/dev/sdf") -> None:
    """Attach a volume, and let it be attached."""
    ec2 = rehearsal.client("ec2")
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
    rehearsal.advance(2)


def snapshot(rehearsal: Rehearsal, volume: str, **more: Any) -> str:
    """Make a snapshot; return its id once it is complete."""
    ident = rehearsal.client("ec2").create_snapshot(VolumeId=volume, **more)["SnapshotId"]
    rehearsal.advance(2)
    return str(ident)


def volume_of(rehearsal: Rehearsal, ident: str) -> Any:
    return rehearsal.client("ec2").describe_volumes(VolumeIds=[ident])["Volumes"][0]


def snapshot_of(rehearsal: Rehearsal, ident: str) -> Any:
    return rehearsal.client("ec2").describe_snapshots(SnapshotIds=[ident])["Snapshots"][0]


def instance_of(rehearsal: Rehearsal, ident: str) -> Any:
    answer = rehearsal.client("ec2").describe_instances(InstanceIds=[ident])
    return answer["Reservations"][0]["Instances"][0]


def devices_of(rehearsal: Rehearsal, ident: str) -> dict[str, str]:
    """Return the states of what an instance's record says is attached, by device."""
    mappings = instance_of(rehearsal, ident)["BlockDeviceMappings"]
    return {one["DeviceName"]: one["Ebs"]["Status"] for one in mappings}


def attachments(rehearsal: Rehearsal, volume: str) -> list[str]:
    return [one["State"] for one in volume_of(rehearsal, volume)["Attachments"]]


def machine_of(rehearsal: Rehearsal, instance: str) -> PaperMachine:
    return rehearsal.tier.machines[instance]


def file_of(rehearsal: Rehearsal, volume: str) -> Path:
    return volume_path(rehearsal.cloud, volume)


def file_of_snapshot(rehearsal: Rehearsal, ident: str) -> Path:
    return snapshot_path(rehearsal.cloud, ident)


def write(rehearsal: Rehearsal, volume: str, data: bytes, at: int = 0) -> None:
    """Write into a volume's file, as an instance does that has it."""
    with file_of(rehearsal, volume).open("r+b") as file:
        file.seek(at)
        file.write(data)


def read(path: Path, length: int, at: int = 0) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)
