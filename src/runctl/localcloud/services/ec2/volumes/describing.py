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
    "create-time": path("CreateTime"),
    "encrypted": path("Encrypted"),
    "multi-attach-enabled": path("MultiAttachEnabled"),
    "size": path("Size"),
    "snapshot-id": path("SnapshotId"),
    "status": path("State"),
    "volume-id": path("VolumeId"),
    "volume-type": path("VolumeType"),
}
_MODIFICATION_FILTERS: Mapping[str, Filter] = {
    "modification-state": path("ModificationState"),
    "volume-id": path("VolumeId"),
}


@operation("ec2", "DescribeVolumes")
def describe_volumes(call: Call) -> dict[str, Any]:
    """List volumes."""
    idents = call.get("VolumeIds")
    if idents and call.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter volumesSet cannot be used with the parameter maxResults",
        )
    found = find_all(call, VOLUME, idents) if idents else call.table("volume").values()
    return page(call, "Volumes", apply(FILTERS, call.get("Filters"), found), sort_by="VolumeId")


@operation("ec2", "DescribeVolumeStatus")
def describe_volume_status(call: Call) -> dict[str, Any]:
    """List the health of volumes: it is good."""
    idents = call.get("VolumeIds")
    found = find_all(call, VOLUME, idents) if idents else call.table("volume").values()
    return page(call, "VolumeStatuses", [_status(one) for one in found], sort_by="VolumeId")


def _status(volume: Record) -> Record:
    details = [
        {"Name": "io-enabled", "Status": "passed"},
        {"Name": "io-performance", "Status": "not-applicable"},
    ]
    return {
        "VolumeId": volume["VolumeId"],
        "AvailabilityZone": volume["AvailabilityZone"],
        "VolumeStatus": {"Status": "ok", "Details": details},
        "Actions": [],
        "Events": [],
    }


@operation("ec2", "DescribeVolumeAttribute")
def describe_volume_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of a volume."""
    ident = find(call, VOLUME, call.get("VolumeId"))["VolumeId"]
    if call.get("Attribute") == "autoEnableIO":
        return {"VolumeId": ident, "AutoEnableIO": {"Value": False}}
    return {"VolumeId": ident, "ProductCodes": []}


@operation("ec2", "DescribeVolumesModifications")
def describe_volumes_modifications(call: Call) -> dict[str, Any]:
    """List what was modified last."""
    idents = call.get("VolumeIds")
    table = call.table("volume-modification")
    found = [one for one in table.values() if not idents or one["VolumeId"] in idents]
    if idents and not found:
        raise AwsError(
            "InvalidVolumeModification.NotFound",
            f"Modification for volume '{idents[0]}' does not exist.",
        )
    found = apply(_MODIFICATION_FILTERS, call.get("Filters"), found)
    return page(call, "VolumesModifications", found, sort_by="VolumeId", low=1)
