"""What snapshots are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SNAPSHOT, check_form
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.snapshots.records import published_snapshots, unknown
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "description": path("Description"),
    "encrypted": path("Encrypted"),
    "owner-alias": path("OwnerAlias"),
    "owner-id": path("OwnerId"),
    "progress": path("Progress"),
    "snapshot-id": path("SnapshotId"),
    "start-time": path("StartTime"),
    "status": path("State"),
    "storage-tier": path("StorageTier"),
    "transfer-type": path("TransferType"),
    "volume-id": path("VolumeId"),
    "volume-size": path("VolumeSize"),
}


@operation("ec2", "DescribeSnapshots")
def describe_snapshots(call: Call) -> dict[str, Any]:
    """List snapshots: one's own, and the public ones of images."""
    found = _named(call)
    owners, users = call.get("OwnerIds"), call.get("RestorableByUserIds")
    if owners:
        found = [one for one in found if _is_owned(call, one, owners)]
    if users:
        found = [one for one in found if _is_restorable(call, one, users)]
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "Snapshots", found, sort_by="SnapshotId")


def _named(call: Call) -> list[Record]:
    wanted, own = call.get("SnapshotIds"), call.table(SNAPSHOT.kind)
    public = published_snapshots(call.region)
    if not wanted:
        return [*public.values(), *own.values()]
    if call.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter snapshotSet cannot be used with the parameter maxResults",
        )
    for ident in wanted:
        check_form(SNAPSHOT, ident)
    found = {ident: own.get(ident) or public.get(ident) for ident in wanted}
    missing = [ident for ident, one in found.items() if one is None]
    if missing:
        raise unknown(missing)
    return [one for one in found.values() if one is not None]


def _is_owned(call: Call, snapshot: Record, owners: list[str]) -> bool:
    names = {snapshot["OwnerId"], snapshot.get("OwnerAlias")}
    if snapshot["OwnerId"] == call.cloud.account:
        names.add("self")
    return bool(names & set(owners))


def _is_restorable(call: Call, snapshot: Record, users: list[str]) -> bool:
    """Whether one of the users may make volumes of it; of owners that goes without saying."""
    given = snapshot.get("_Permissions", [])
    names = {one.get("Group") or one.get("UserId") for one in given}
    if snapshot["OwnerId"] == call.cloud.account or call.cloud.account in names:
        names |= {"self", call.cloud.account}
    return bool(names & set(users))
