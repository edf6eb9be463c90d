"""Create, attach, detach, modify and delete volumes."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.idents import (
    INSTANCE,
    SNAPSHOT,
    VOLUME,
    edit,
    find,
    new_id,
)
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.services.ec2.volumes.files import GIB, grow, volume_path
from runctl.localcloud.services.ec2.volumes.records import (
    attachment_of,
    check_available,
    map_device,
    volume_record,
)
from runctl.localcloud.services.ec2.volumes.rules import shape_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MODIFY_AGAIN_S = 6 * 3600
_MOST_ATTACHED = 27


@operation("ec2", "CreateVolume")
def create_volume(call: Call) -> Record:
    """Make a volume, blank or of a snapshot."""
    known = tokens.replay(call)
    if known is not None:
        return find(call, VOLUME, known)
    zone, wanted = call.get("AvailabilityZone"), dict(call.parameters)
    if zone not in zones_of(call.region):
        raise AwsError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    if wanted.get("SnapshotId"):
        _fit_snapshot(call, wanted)
    if wanted.get("MultiAttachEnabled") and wanted.get("VolumeType") not in ("io1", "io2"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter MultiAttachEnabled is only supported for io1 and io2 volumes.",
        )
    ident = new_id(VOLUME)
    volume = volume_record(ident, zone, call.cloud.clock(), shape_of(wanted), wanted)
    volume["Tags"] = tags_for(call, VOLUME)
    tokens.remember(call, ident)
    call.settle("volume", ident)
    return call.table("volume").put(ident, volume)


def _fit_snapshot(call: Call, wanted: dict[str, Any]) -> None:
    snapshot = find(call, SNAPSHOT, wanted["SnapshotId"])
    if snapshot["State"] != "completed":
        raise AwsError("IncorrectState", f"Snapshot {wanted['SnapshotId']} is not 'completed'.")
    wanted.setdefault("Size", snapshot["VolumeSize"])
    wanted["Encrypted"] = wanted.get("Encrypted") or snapshot["Encrypted"]
    if wanted["Size"] < snapshot["VolumeSize"]:
        raise AwsError(
            "InvalidParameterValue",
            f"The size of a volume must be at least that of the snapshot: "
            f"{snapshot['VolumeSize']} GiB",
        )


@operation("ec2", "DeleteVolume")
def delete_volume(call: Call) -> None:
    """Delete a volume that is attached to nothing."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    if volume["State"] != "error":
        check_available(volume, "deleted")
    volume["State"] = "deleting"
    call.settle("volume", volume["VolumeId"])


@operation("ec2", "AttachVolume")
def attach_volume(call: Call) -> Record:
    """Attach a volume to an instance of its zone."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    instance = edit(call, INSTANCE, call.get("InstanceId"))
    device = call.get("Device")
    if not (volume["MultiAttachEnabled"] and volume["State"] == "in-use"):
        check_available(volume, "attached")
    _check_instance(instance)
    _check_zone(volume, instance)
    _check_device(instance, volume, device)
    ident = instance["InstanceId"]
    attachment = attachment_of(volume, ident, device, call.cloud.clock(), is_deleted_with=False)
    volume["Attachments"] = [*volume["Attachments"], attachment]
    volume["State"] = "in-use"
    map_device(instance, volume, attachment)
    call.settle("volume", volume["VolumeId"])
    return dict(attachment)


def _check_instance(instance: Record) -> None:
    state = instance["State"]["Name"]
    if state not in ("running", "stopped", "stopping", "pending"):
        raise AwsError("IncorrectState", f"Instance '{instance['InstanceId']}' is not 'running'.")
    if len(instance["BlockDeviceMappings"]) >= _MOST_ATTACHED:
        raise AwsError("AttachmentLimitExceeded", "The attachment limit is exceeded.")


def _check_zone(volume: Record, instance: Record) -> None:
    if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume['VolumeId']}' is not in the same availability zone as instance "
            f"'{instance['InstanceId']}'",
        )


def _check_device(instance: Record, volume: Record, device: str) -> None:
    if not device.startswith(("/dev/sd", "/dev/xvd", "xvd", "sd")):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device "
            "name.",
        )
    for mapping in instance["BlockDeviceMappings"]:
        if mapping["DeviceName"] == device:
            raise AwsError(
                "InvalidParameterValue",
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already "
                "in use",
            )
        if mapping["Ebs"]["VolumeId"] == volume["VolumeId"]:
            raise AwsError(
                "VolumeInUse", f"{volume['VolumeId']} is already attached to an instance"
            )


@operation("ec2", "DetachVolume")
def detach_volume(call: Call) -> Record:
    """Detach a volume; it is ``busy`` for as long as it is mounted."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    attachment = _attachment(call, volume)
    instance = edit(call, INSTANCE, attachment["InstanceId"])
    state = instance["State"]["Name"]
    if attachment["Device"] == instance["RootDeviceName"] and state != "stopped":
        raise AwsError(
            "OperationNotPermitted",
            f"Unable to detach root volume '{volume['VolumeId']}' from instance "
            f"'{instance['InstanceId']}'",
        )
    attachment |= {"State": "detaching", "_IsForced": bool(call.get("Force"))}
    map_device(instance, volume, attachment)
    call.settle("volume", volume["VolumeId"])
    return dict(attachment)


def _attachment(call: Call, volume: Record) -> Record:
    ident, found = volume["VolumeId"], volume["Attachments"]
    if not found:
        raise AwsError("IncorrectState", f"Volume '{ident}' is in the 'available' state.")
    wanted = call.get("InstanceId")
    if wanted is not None:
        find(call, INSTANCE, wanted)
        found = [one for one in found if one["InstanceId"] == wanted]
    if call.get("Device") is not None:
        found = [one for one in found if one["Device"] == call.get("Device")]
    if not found:
        raise AwsError(
            "InvalidAttachment.NotFound",
            f"The volume '{ident}' is not attached to instance '{wanted}' as device "
            f"'{call.get('Device')}'.",
        )
    attachment: Record = found[0]
    return attachment


@operation("ec2", "ModifyVolume")
def modify_volume(call: Call) -> dict[str, Any]:
    """Change type, size, IOPS or throughput; a volume never shrinks, and rests for six hours."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    if volume["State"] not in ("available", "in-use"):
        raise AwsError("IncorrectState", f"The volume '{volume['VolumeId']}' is not ready.")
    last = call.table("volume-modification").get(volume["VolumeId"])
    if last is not None and call.cloud.clock() - last["StartTime"] < _MODIFY_AGAIN_S:
        raise AwsError(
            "VolumeModificationRateExceeded",
            "You've reached the maximum modification rate per volume limit. Wait at least 6 "
            "hours between modifications per EBS volume.",
        )
    shape = _new_shape(call, volume)
    modification = _modification(call, volume, shape)
    volume |= shape
    grow(volume_path(call.cloud, volume["VolumeId"]), volume["Size"] * GIB)
    return {"VolumeModification": modification}


def _new_shape(call: Call, volume: Record) -> dict[str, Any]:
    kind = call.get("VolumeType", volume["VolumeType"])
    names = ("Iops", "Throughput") if kind == volume["VolumeType"] != "gp2" else ()
    kept = {name: volume.get(name) for name in names}
    given = {name: call.get(name) for name in ("Size", "Iops", "Throughput") if call.get(name)}
    wanted = {"Size": volume["Size"], **kept, **given, "VolumeType": kind}
    if wanted["Size"] < volume["Size"]:
        raise AwsError("InvalidParameterValue", "New size cannot be smaller than existing size")
    return shape_of(wanted)


def _modification(call: Call, volume: Record, shape: dict[str, Any]) -> Record:
    names = ("VolumeType", "Size", "Iops", "Throughput")
    record = {
        "VolumeId": volume["VolumeId"],
        "ModificationState": "modifying",
        "Progress": 0,
        "StartTime": call.cloud.clock(),
        **{f"Original{name}": volume.get(name) for name in names},
        **{f"Target{name}": shape.get(name) for name in names},
    }
    done = {
        **record,
        "ModificationState": "optimizing",
        "Progress": 100,
        "EndTime": call.cloud.clock(),
    }
    call.table("volume-modification").put(volume["VolumeId"], done)
    return record
