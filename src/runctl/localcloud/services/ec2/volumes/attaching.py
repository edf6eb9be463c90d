"""Attach and detach volumes."""

from __future__ import annotations

import re

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, VOLUME, edit, find
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.services.ec2.types import type_of
from runctl.localcloud.services.ec2.volumes.records import (
    attachment_of,
    check_attachable,
    map_device,
    volumes_of,
)
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_DEVICE = re.compile(r"(/dev/)?(sd[a-z]{1,2}|xvd[a-z]{1,2}|hd[a-z])[0-9]{0,2}")
_MOST_INSTANCES = 16
_STATES = ("running", "stopping", "stopped")


@operation("ec2", "AttachVolume")
def attach_volume(call: Call) -> Record:
    """Attach a volume to an instance of its zone."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    instance = edit(call, INSTANCE, call.get("InstanceId"))
    device = call.get("Device")
    check_attachable(volume)
    _check_instance(instance)
    _check_zone(volume, instance)
    _check_device(instance, device)
    _check_number(instance, volume)
    ident = instance["InstanceId"]
    attachment = attachment_of(volume, ident, device, call.cloud.clock(), is_deleted_with=False)
    volume["Attachments"] = [*volume["Attachments"], attachment]
    volume["State"] = "in-use"
    map_device(instance, volume, attachment)
    call.settle("volume", volume["VolumeId"])
    return dict(attachment)


def _check_instance(instance: Record) -> None:
    if state_of(instance) not in _STATES:
        raise AwsError("IncorrectState", f"Instance '{instance['InstanceId']}' is not 'running'.")


def _check_zone(volume: Record, instance: Record) -> None:
    if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume['VolumeId']}' is not in the same availability zone as instance "
            f"'{instance['InstanceId']}'",
        )


def _check_device(instance: Record, device: str) -> None:
    if not _DEVICE.fullmatch(device):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device "
            "name.",
        )
    if any(one["DeviceName"] == device for one in instance["BlockDeviceMappings"]):
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )


def _check_number(instance: Record, volume: Record) -> None:
    if volume["VolumeId"] in volumes_of(instance):
        raise AwsError("VolumeInUse", f"{volume['VolumeId']} is already attached to an instance")
    if len(volume["Attachments"]) >= _MOST_INSTANCES:
        raise AwsError(
            "AttachmentLimitExceeded",
            f"The volume '{volume['VolumeId']}' is attached to {_MOST_INSTANCES} instances.",
        )
    kind = instance["InstanceType"]
    most = type_of(kind).get("EbsInfo", {}).get("MaximumEbsAttachments")
    if most is not None and len(volumes_of(instance)) >= most:
        raise AwsError(
            "AttachmentLimitExceeded",
            f"You have reached the maximum number of attachments, {most}, of the instance type "
            f"{kind}.",
        )


@operation("ec2", "DetachVolume")
def detach_volume(call: Call) -> Record:
    """Detach a volume; it is ``busy`` for as long as it is mounted."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    attachment = _attachment(call, volume)
    instance = edit(call, INSTANCE, attachment["InstanceId"])
    if attachment["Device"] == instance["RootDeviceName"] and state_of(instance) != "stopped":
        raise AwsError(
            "OperationNotPermitted",
            f"Unable to detach root volume '{volume['VolumeId']}' from instance "
            f"'{instance['InstanceId']}'",
        )
    since = attachment.get("_DetachingSince", call.cloud.clock())
    forced = bool(call.get("Force") or attachment.get("_IsForced"))
    attachment |= {"State": "detaching", "_DetachingSince": since, "_IsForced": forced}
    map_device(instance, volume, attachment)
    call.settle("volume", volume["VolumeId"])
    return dict(attachment)


def _attachment(call: Call, volume: Record) -> Record:
    ident, found = volume["VolumeId"], volume["Attachments"]
    instance_id, device = call.get("InstanceId"), call.get("Device")
    if instance_id is not None:
        find(call, INSTANCE, instance_id)
    if not found:
        raise AwsError("IncorrectState", f"Volume '{ident}' is in the '{volume['State']}' state.")
    if len(found) > 1 and instance_id is None:
        raise AwsError("MissingParameter", "The request must contain the parameter instanceId")
    mine = [one for one in found if instance_id in (None, one["InstanceId"])]
    mine = [one for one in mine if device in (None, one["Device"])]
    if not mine:
        place = f" as device '{device}'" if device else ""
        raise AwsError(
            "InvalidAttachment.NotFound",
            f"The volume '{ident}' is not attached to instance "
            f"'{instance_id or found[0]['InstanceId']}'{place}.",
        )
    attachment: Record = mine[0]
    return attachment
