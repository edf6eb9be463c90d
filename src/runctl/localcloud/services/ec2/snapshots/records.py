"""The form of a snapshot's record; which snapshots there are, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import SNAPSHOT, check_form, new_id
from runctl.localcloud.services.ec2.imagefamilies import AMAZON_LINUX, DEEP_LEARNING
from runctl.localcloud.services.ec2.machineimages import published
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

REMOVAL = "snapshot-removal"
"""What is left of a deleted snapshot: its file, as long as something is being made of it."""
COPY_OF = "vol-ffffffff"
"""The volume that AWS names for a snapshot which is a copy."""
_ALIASES = dict.fromkeys((AMAZON_LINUX, DEEP_LEARNING), "amazon")


def begin_snapshot(
    call: Call,
    volume: Record,
    description: str,
    tags: list[dict[str, str]],
    *,
    source: str | None = None,
    **more: Any,
) -> Record:
    """Put a pending snapshot in the records, and have it made.

    ``volume`` has VolumeId, Size, Encrypted and KmsKeyId; ``source`` is the snapshot that it is
    a copy of, where it is not of the volume.
    """
    ident = new_id(SNAPSHOT)
    snapshot = {
        "SnapshotId": ident,
        "VolumeId": volume["VolumeId"],
        "VolumeSize": volume["Size"],
        "State": "pending",
        "Progress": "",
        "StartTime": call.cloud.clock(),
        "OwnerId": call.cloud.account,
        "Description": description,
        "Encrypted": volume["Encrypted"],
        "KmsKeyId": volume.get("KmsKeyId"),
        "StorageTier": "standard",
        "Tags": tags,
        "_Permissions": [],
        "_Source": source,
        "_IsCopied": False,
        **more,
    }
    call.settle(SNAPSHOT.kind, ident)
    return call.table(SNAPSHOT.kind).put(ident, snapshot)


def drop_snapshot(call: Call, ident: str) -> None:
    """Delete a snapshot; its file goes once nothing is being made of it."""
    call.table(SNAPSHOT.kind).delete(ident)
    call.table(REMOVAL).put(ident, {"SnapshotId": ident})
    call.settle(REMOVAL, ident)


def snapshot_for(call: Call, ident: str) -> Record:
    """Return a snapshot, one's own or a public one; raise AWS's own error for a bad id."""
    check_form(SNAPSHOT, ident)
    found = call.table(SNAPSHOT.kind).get(ident) or published_snapshots(call.region).get(ident)
    if found is None:
        raise unknown([ident])
    return found


def completed_snapshot(call: Call, ident: str, region: str | None = None) -> Record:
    """Return a snapshot to make something of; it must be complete."""
    if region is None or region == call.region:
        found = snapshot_for(call, ident)
    else:
        check_form(SNAPSHOT, ident)
        table, public = call.table(SNAPSHOT.kind, region), published_snapshots(region)
        found = table.get(ident) or public.get(ident) or {}
        if not found:
            raise unknown([ident])
    if found["State"] != "completed":
        raise AwsError("IncorrectState", f"Snapshot is in invalid state - {found['State']}")
    return found


def unknown(idents: Sequence[str]) -> AwsError:
    """Make the error that names snapshots which do not exist."""
    if len(idents) == 1:
        words = f"The snapshot '{idents[0]}' does not exist."
    else:
        words = f"The snapshots '{', '.join(idents)}' do not exist."
    return AwsError("InvalidSnapshot.NotFound", words)


def is_being_copied(cloud: Cloud, region: str, ident: str) -> bool:
    """Whether the bytes of a volume or a snapshot are still needed for a pending snapshot."""
    with cloud.records.transaction() as transaction:
        return any(
            source_of(one) == ident and not one.get("_IsCopied")
            for one in transaction.table(SNAPSHOT.kind, region).values()
            if one["State"] == "pending"
        )


def source_of(snapshot: Record) -> str:
    """Return the id of the volume or the snapshot whose bytes it holds."""
    return str(snapshot.get("_Source") or snapshot["VolumeId"])


@cache
def published_snapshots(region: str) -> dict[str, Record]:
    """Return the public snapshots of a region: those of the published images, by id."""
    found = [
        _public(image, mapping["Ebs"])
        for image in published(region).values()
        for mapping in image["BlockDeviceMappings"]
        if "Ebs" in mapping
    ]
    return {one["SnapshotId"]: one for one in found}


def _public(image: Record, ebs: Record) -> Record:
    started = datetime.fromisoformat(image["CreationDate"]).timestamp()
    return {
        "SnapshotId": ebs["SnapshotId"],
        "VolumeId": COPY_OF,
        "VolumeSize": ebs["VolumeSize"],
        "State": "completed",
        "Progress": "100%",
        "StartTime": started,
        "CompletionTime": started,
        "OwnerId": image["OwnerId"],
        "OwnerAlias": _ALIASES.get(image["OwnerId"]),
        "Description": f"Created for {image['Name']}",
        "Encrypted": False,
        "StorageTier": "standard",
        "Tags": [],
        "_Permissions": [{"Group": "all"}],
    }
