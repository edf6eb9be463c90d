"""What snapshots are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SNAPSHOT, find, find_all
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "description": path("Description"),
    "encrypted": path("Encrypted"),
    "owner-id": path("OwnerId"),
    "progress": path("Progress"),
    "snapshot-id": path("SnapshotId"),
    "start-time": path("StartTime"),
    "status": path("State"),
    "storage-tier": path("StorageTier"),
    "volume-id": path("VolumeId"),
    "volume-size": path("VolumeSize"),
}


@operation("ec2", "DescribeSnapshots")
def describe_snapshots(call: Call) -> dict[str, Any]:
    """List one's own snapshots; the public ones of images are not told."""
    idents = call.get("SnapshotIds")
    if idents and call.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter SnapshotIds cannot be used with the parameter MaxResults",
        )
    found = find_all(call, SNAPSHOT, idents) if idents else call.table("snapshot").values()
    owners = call.get("OwnerIds")
    if owners:
        found = [one for one in found if _is_owned(call, one, owners)]
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "Snapshots", found, sort_by="SnapshotId")


def _is_owned(call: Call, snapshot: Record, owners: list[str]) -> bool:
    names = {snapshot["OwnerId"]}
    if snapshot["OwnerId"] == call.cloud.account:
        names.add("self")
    return bool(names & set(owners))


@operation("ec2", "DescribeSnapshotAttribute")
def describe_snapshot_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of a snapshot."""
    snapshot = find(call, SNAPSHOT, call.get("SnapshotId"))
    answer: dict[str, Any] = {"SnapshotId": snapshot["SnapshotId"], "ProductCodes": []}
    if call.get("Attribute") == "createVolumePermission":
        answer["CreateVolumePermissions"] = snapshot["_Permissions"]
    return answer
