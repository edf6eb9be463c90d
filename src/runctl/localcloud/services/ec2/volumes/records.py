"""The form of a volume's record, and the changes to it that several verbs share."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import VOLUME, new_id
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.services.ec2.volumes.encryption import encryption_of
from runctl.localcloud.services.ec2.volumes.rules import shape_of
from runctl.localcloud.state.records import Record, Table
from runctl.localcloud.wire.errors import AwsError


def volume_record(
    call: Call, zone: str, wanted: dict[str, Any], snapshot: Record | None = None
) -> Record:
    """Return a volume that is being created. ``wanted`` has the parameters of CreateVolume."""
    ident = new_id(VOLUME)
    encryption = encryption_of(call, wanted, source=snapshot)
    return {
        "VolumeId": ident,
        "VolumeArn": f"arn:aws:ec2:{call.region}:{call.cloud.account}:volume/{ident}",
        "OwnerId": call.cloud.account,
        "AvailabilityZone": zone,
        "AvailabilityZoneId": zones_of(call.region)[zone],
        "CreateTime": call.cloud.clock(),
        "State": "creating",
        **encryption,
        "SnapshotId": wanted.get("SnapshotId") or "",
        "MultiAttachEnabled": bool(wanted.get("MultiAttachEnabled")),
        "VolumeInitializationRate": wanted.get("VolumeInitializationRate"),
        "Operator": {"Managed": False},
        "Attachments": [],
        "Tags": [],
        **shape_of(wanted),
        "_IsEmpty": True,  # its bytes are not there yet
    }


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


def attachment_to(volume: Record, instance_id: str) -> Record | None:
    """Return the attachment of a volume to an instance, if there is one."""
    found = [one for one in volume["Attachments"] if one["InstanceId"] == instance_id]
    return found[0] if found else None


def map_device(instance: Record, volume: Record, attachment: Record) -> None:
    """Show an attachment on the record of the instance, in place of what it said before."""
    mapping = {
        "DeviceName": attachment["Device"],
        "Ebs": {
            "AttachTime": attachment["AttachTime"],
            "DeleteOnTermination": attachment["DeleteOnTermination"],
            "Status": attachment["State"],
            "VolumeId": volume["VolumeId"],
        },
    }
    known = instance["BlockDeviceMappings"]
    places = [i for i, one in enumerate(known) if _volume_of(one) == volume["VolumeId"]]
    instance["BlockDeviceMappings"] = (
        [mapping if index in places else one for index, one in enumerate(known)]
        if places
        else [*known, mapping]
    )


def _volume_of(mapping: Record) -> str | None:
    ident: str | None = mapping.get("Ebs", {}).get("VolumeId")
    return ident


def volumes_of(instance: Record) -> list[str]:
    """Return the ids of all volumes that are attached to an instance."""
    return [ident for one in instance["BlockDeviceMappings"] if (ident := _volume_of(one))]


def unmap_device(instance: Record, volume_id: str) -> None:
    """Show a volume no more on the record of the instance."""
    instance["BlockDeviceMappings"] = [
        one for one in instance["BlockDeviceMappings"] if _volume_of(one) != volume_id
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


def check_deletable(volume: Record) -> None:
    """Raise what AWS says of a volume that cannot be deleted now."""
    ident, attachments = volume["VolumeId"], volume["Attachments"]
    if attachments:
        owner = attachments[0]["InstanceId"]
        raise AwsError("VolumeInUse", f"Volume {ident} is currently attached to {owner}")
    if volume["State"] not in ("available", "error"):
        raise AwsError("IncorrectState", f"The volume '{ident}' is not 'available'.")


def check_attachable(volume: Record) -> None:
    """Raise what AWS says of a volume that cannot be attached now."""
    ident = volume["VolumeId"]
    if volume["State"] == "in-use" and volume["MultiAttachEnabled"]:
        return
    if volume["State"] == "in-use":
        raise AwsError("VolumeInUse", f"{ident} is already attached to an instance")
    if volume["State"] != "available":
        raise AwsError("IncorrectState", f"{ident} is not 'available'.")
