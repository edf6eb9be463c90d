"""Snapshots over time: pending while their bytes are copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.volumes.files import (
    GIB,
    copy_sparse,
    make_blank,
    remove,
    snapshot_path,
    volume_path,
)
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


@settles("snapshot")
def settle_snapshot(cloud: Cloud, region: str, ident: str) -> None:
    """Copy the bytes of a pending snapshot; remove those of one that is gone."""
    snapshot = cloud.records.peek("snapshot", region, ident)
    if snapshot is None:
        remove(snapshot_path(cloud, ident))
        cloud.jobs.forget(f"snapshot:{ident}")
        return
    if snapshot["State"] != "pending":
        return
    _copy(cloud, snapshot)
    rest_s = snapshot["StartTime"] + cloud.pace.snapshot_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, "snapshot", region, ident)
        return
    with cloud.records.transaction() as transaction:
        table = transaction.table("snapshot", region)
        if ident in table:
            table.edit(ident).update({"State": "completed", "Progress": "100%"})


def _copy(cloud: Cloud, snapshot: Record) -> None:
    target = snapshot_path(cloud, snapshot["SnapshotId"])
    if target.exists():
        return
    source = snapshot.get("_Source")
    origin = snapshot_path(cloud, source) if source else volume_path(cloud, snapshot["VolumeId"])
    size = snapshot["VolumeSize"] * GIB
    if origin.exists():
        copy_sparse(origin, target, size)
    else:
        make_blank(target, size)
