"""What volumes are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import VOLUME, find, find_all
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

FILTERS: Mapping[str, Filter] = {
    "attachment.attach-time": path("Attachments", "AttachTime"),
    "attachment.delete-on-termination": path("Attachments", "DeleteOnTermination"),
    "attachment.device": path("Attachments", "Device"),
    "attachment.instance-id": path("Attachments", "InstanceId"),
    "attachment.status": path("Attachments", "State"),
    "availability-zone": path("AvailabilityZone"),
    "availability-zone-id": path("AvailabilityZoneId"),
    "create-time": path("CreateTime"),
    "encrypted": path("Encrypted"),
    "fast-restored": lambda _: ["false"],
    "multi-attach-enabled": path("MultiAttachEnabled"),
    "operator.managed": path("Operator", "Managed"),
    "operator.principal": path("Operator", "Principal"),
    "size": path("Size"),
    "snapshot-id": path("SnapshotId"),
    "status": path("State"),
    "volume-id": path("VolumeId"),
    "volume-type": path("VolumeType"),
}
_STATUS_FILTERS: Mapping[str, Filter] = {
    "action.code": path("Actions", "Code"),
    "action.description": path("Actions", "Description"),
    "action.event-id": path("Actions", "EventId"),
    "attachment-status.instance-id": path("AttachmentStatuses", "InstanceId"),
    "attachment-status.io-performance": path("AttachmentStatuses", "IoPerformance"),
    "availability-zone": path("AvailabilityZone"),
    "availability-zone-id": path("AvailabilityZoneId"),
    "event.description": path("Events", "Description"),
    "event.event-id": path("Events", "EventId"),
    "event.event-type": path("Events", "EventType"),
    "event.not-after": path("Events", "NotAfter"),
    "event.not-before": path("Events", "NotBefore"),
    "volume-status.details-name": path("VolumeStatus", "Details", "Name"),
    "volume-status.details-status": path("VolumeStatus", "Details", "Status"),
    "volume-status.status": path("VolumeStatus", "Status"),
}


@operation("ec2", "DescribeVolumes")
def describe_volumes(call: Call) -> dict[str, Any]:
    """List volumes."""
    found = apply(FILTERS, call.get("Filters"), _named(call))
    return page(call, "Volumes", found, sort_by="VolumeId")


def _named(call: Call) -> list[Record]:
    idents = call.get("VolumeIds")
    if idents and call.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter volumesSet cannot be used with the parameter maxResults",
        )
    return find_all(call, VOLUME, idents) if idents else call.table("volume").values()


@operation("ec2", "DescribeVolumeStatus")
def describe_volume_status(call: Call) -> dict[str, Any]:
    """List the health of volumes: it is good."""
    found = apply(_STATUS_FILTERS, call.get("Filters"), [_status(one) for one in _named(call)])
    return page(call, "VolumeStatuses", found, sort_by="VolumeId")


def _status(volume: Record) -> Record:
    is_new = volume["State"] == "creating"
    details = [
        {"Name": "io-enabled", "Status": "insufficient-data" if is_new else "passed"},
        {"Name": "io-performance", "Status": "not-applicable"},
    ]
    return {
        "VolumeId": volume["VolumeId"],
        "AvailabilityZone": volume["AvailabilityZone"],
        "AvailabilityZoneId": volume.get("AvailabilityZoneId"),
        "VolumeStatus": {"Status": "insufficient-data" if is_new else "ok", "Details": details},
        "AttachmentStatuses": [],
        "Actions": [],
        "Events": [],
    }


@operation("ec2", "DescribeVolumeAttribute")
def describe_volume_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of a volume."""
    volume = find(call, VOLUME, call.get("VolumeId"))
    ident = volume["VolumeId"]
    if call.get("Attribute") == "autoEnableIO":
        return {"VolumeId": ident, "AutoEnableIO": {"Value": volume.get("_AutoEnableIO", False)}}
    return {"VolumeId": ident, "ProductCodes": []}
