"""Snapshots over time: pending while their bytes are copied; their files after them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.idents import SNAPSHOT
from runctl.localcloud.services.ec2.snapshots.freezing import frozen
from runctl.localcloud.services.ec2.snapshots.records import (
    REMOVAL,
    is_being_copied,
    source_of,
)
from runctl.localcloud.services.ec2.volumes.files import (
    GIB,
    copy_sparse,
    remove,
    snapshot_path,
    used_bytes,
    volume_path,
)
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LOG = logging.getLogger(__name__)


@settles(SNAPSHOT.kind)
def settle_snapshot(cloud: Cloud, region: str, ident: str) -> None:
    """Copy at once what a pending snapshot is of; complete it a while later."""
    snapshot = cloud.records.peek(SNAPSHOT.kind, region, ident)
    if snapshot is None:
        _leave_file(cloud, region, ident)
        return
    if snapshot["State"] != "pending":
        return
    if not snapshot.get("_IsCopied") and not _copy(cloud, region, snapshot):
        return
    rest_s = snapshot["StartTime"] + cloud.pace.snapshot_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, SNAPSHOT.kind, region, ident)
        return
    done = {
        "State": "completed",
        "Progress": "100%",
        "CompletionTime": cloud.clock(),
        "FullSnapshotSizeInBytes": used_bytes(snapshot_path(cloud, ident)),
    }
    _update(cloud, region, ident, done)


def _copy(cloud: Cloud, region: str, snapshot: Record) -> bool:
    """Copy the bytes, unless they are there; return whether that could be done."""
    ident = snapshot["SnapshotId"]
    try:
        _copy_bytes(cloud, region, snapshot)
    except OSError as fault:  # such as a full disk
        _LOG.exception("%s cannot be made", ident)
        remove(snapshot_path(cloud, ident))
        _update(cloud, region, ident, {"State": "error", "StateMessage": str(fault)})
        return False
    _update(cloud, region, ident, {"_IsCopied": True, "Progress": "99%"})
    return True


def _copy_bytes(cloud: Cloud, region: str, snapshot: Record) -> None:
    target, size_bytes = snapshot_path(cloud, snapshot["SnapshotId"]), snapshot["VolumeSize"] * GIB
    ident, is_copy = source_of(snapshot), bool(snapshot.get("_Source"))
    source = (snapshot_path if is_copy else volume_path)(cloud, ident)
    if target.exists() or not source.exists():  # a root disk is no file of its own
        return
    if is_copy:
        copy_sparse(source, target, size_bytes)
        return
    with cloud.jobs.alone(f"volume:{ident}"), frozen(cloud, region, ident):
        copy_sparse(source, target, size_bytes)


def _update(cloud: Cloud, region: str, ident: str, members: dict[str, Any]) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table(SNAPSHOT.kind, region)
        if ident in table:
            table.edit(ident).update(members)


def _leave_file(cloud: Cloud, region: str, ident: str) -> None:
    if not snapshot_path(cloud, ident).exists():
        return
    with cloud.records.transaction() as transaction:
        transaction.table(REMOVAL, region).put(ident, {"SnapshotId": ident})
    cloud.settle_later(0.0, REMOVAL, region, ident)


@settles(REMOVAL)
def settle_removal(cloud: Cloud, region: str, ident: str) -> None:
    """Remove the file of a deleted snapshot, once nothing is being made of it."""
    if cloud.records.peek(REMOVAL, region, ident) is None:
        return
    if _is_needed(cloud, ident):
        cloud.settle_later(cloud.pace.volume_s, REMOVAL, region, ident)
        return
    with cloud.jobs.alone(f"{SNAPSHOT.kind}:{ident}"):
        remove(snapshot_path(cloud, ident))
    with cloud.records.transaction() as transaction:
        transaction.table(REMOVAL, region).delete(ident)
    for kind in (SNAPSHOT.kind, REMOVAL):
        cloud.jobs.forget(f"{kind}:{ident}")


def _is_needed(cloud: Cloud, ident: str) -> bool:
    """Whether the bytes of a snapshot are still to be copied into a volume or a snapshot."""
    if any(
        is_being_copied(cloud, region, ident) for region in cloud.records.regions(SNAPSHOT.kind)
    ):
        return True
    with cloud.records.transaction() as transaction:
        return any(
            volume.get("_IsEmpty") and volume["SnapshotId"] == ident
            for region in cloud.records.regions("volume")
            for volume in transaction.table("volume", region).values()
        )
