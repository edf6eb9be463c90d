"""The form of a volume's record, and the changes to it that several verbs share."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.state.records import Record, Table
from runctl.localcloud.wire.errors import AwsError


def volume_record(
    ident: str, zone: str, now: float, shape: dict[str, Any], wanted: dict[str, Any]
) -> Record:
    """Return a volume that is being created. ``wanted`` has the parameters of CreateVolume."""
    is_encrypted = bool(wanted.get("Encrypted") or wanted.get("KmsKeyId"))
    record = {
        "VolumeId": ident,
        "AvailabilityZone": zone,
        "CreateTime": now,
        "State": "creating",
        "Encrypted": is_encrypted,
        "SnapshotId": wanted.get("SnapshotId") or "",
        "MultiAttachEnabled": bool(wanted.get("MultiAttachEnabled")),
        "Attachments": [],
        "Tags": [],
        **shape,
    }
    if is_encrypted:
        record["KmsKeyId"] = wanted.get("KmsKeyId") or "alias/aws/ebs"
    return record


def attachment_of(
    volume: Record, instance_id: str, device: str, now: float, *, is_deleted_with: bool
) -> Record:
    """Return an attachment that is under way."""
    return {
        "VolumeId": volume["VolumeId"],
        "InstanceId": instance_id,
        "Device": device,
        "State": "attaching",
        "AttachTime": now,
        "DeleteOnTermination": is_deleted_with,
    }


def map_device(instance: Record, volume: Record, attachment: Record) -> None:
    """Show an attachment on the record of the instance, in place of what it said before."""
    unmap_device(instance, volume["VolumeId"])
    instance["BlockDeviceMappings"].append(
        {
            "DeviceName": attachment["Device"],
            "Ebs": {
                "AttachTime": attachment["AttachTime"],
                "DeleteOnTermination": attachment["DeleteOnTermination"],
                "Status": attachment["State"],
                "VolumeId": volume["VolumeId"],
            },
        }
    )


def unmap_device(instance: Record, volume_id: str) -> None:
    """Show a volume no more on the record of the instance."""
    instance["BlockDeviceMappings"] = [
        one
        for one in instance["BlockDeviceMappings"]
        if one.get("Ebs", {}).get("VolumeId") != volume_id
    ]


def drop_attachment(volumes: Table, instances: Table, volume_id: str, instance_id: str) -> None:
    """Undo an attachment in the records of both."""
    if volume_id in volumes:
        volume = volumes.edit(volume_id)
        volume["Attachments"] = [
            one for one in volume["Attachments"] if one["InstanceId"] != instance_id
        ]
        if not volume["Attachments"] and volume["State"] == "in-use":
            volume["State"] = "available"
    if instance_id in instances:
        unmap_device(instances.edit(instance_id), volume_id)


def check_available(volume: Record, verb: str) -> None:
    """Raise what AWS says of a volume that is not available."""
    if volume["State"] == "available":
        return
    ident = volume["VolumeId"]
    if volume["State"] == "in-use":
        owner = volume["Attachments"][0]["InstanceId"] if volume["Attachments"] else "an instance"
        words = f"{ident} is already attached to an instance"
        if verb == "deleted":
            words = f"Volume {ident} is currently attached to {owner}"
        raise AwsError("VolumeInUse", words)
    raise AwsError("IncorrectState", f"The volume '{ident}' is not 'available'.")
