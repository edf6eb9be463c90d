"""Create, copy and delete snapshots."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import region_facts
from runctl.localcloud.services.ec2.idents import INSTANCE, SNAPSHOT, VOLUME, find
from runctl.localcloud.services.ec2.images import image_of_snapshot
from runctl.localcloud.services.ec2.instances.states import check_state
from runctl.localcloud.services.ec2.snapshots.records import (
    COPY_OF,
    begin_snapshot,
    completed_snapshot,
    drop_snapshot,
    snapshot_for,
)
from runctl.localcloud.services.ec2.tags import merge, tags_for
from runctl.localcloud.services.ec2.volumes.encryption import encryption_of
from runctl.localcloud.services.ec2.volumes.records import volumes_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MINUTES, _MOST_MINUTES = 15, 2880


@operation("ec2", "CreateSnapshot")
def create_snapshot(call: Call) -> Record:
    """Copy what a volume holds now; writing to it may go on at once."""
    volume = find(call, VOLUME, call.get("VolumeId"))
    return _begin(call, volume, tags_for(call, SNAPSHOT))


def _begin(call: Call, volume: Record, tags: list[dict[str, str]]) -> Record:
    ident = volume["VolumeId"]
    if volume["State"] not in ("available", "in-use"):
        raise AwsError("IncorrectState", f"Volume '{ident}' is in the '{volume['State']}' state.")
    return begin_snapshot(call, volume, call.get("Description", ""), tags)


@operation("ec2", "CreateSnapshots")
def create_snapshots(call: Call) -> dict[str, Any]:
    """Copy what all volumes of an instance hold."""
    wanted = call.get("InstanceSpecification")
    instance = find(call, INSTANCE, wanted.get("InstanceId", ""))
    check_state(instance, "running", "stopping", "stopped", verb="snapshotted")
    made = []
    for ident in _chosen(instance, wanted):
        volume, tags = find(call, VOLUME, ident), tags_for(call, SNAPSHOT)
        if call.get("CopyTagsFromSource") == "volume":
            tags = merge(_own(volume["Tags"]), tags)
        made.append(_begin(call, volume, tags))
    return {"Snapshots": made}


def _own(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    return [tag for tag in tags if not tag["Key"].startswith("aws:")]


def _chosen(instance: Record, wanted: dict[str, Any]) -> list[str]:
    devices = {one["Ebs"]["VolumeId"]: one["DeviceName"] for one in _mapped(instance)}
    roots = {ident for ident, name in devices.items() if name == instance["RootDeviceName"]}
    left_out = set(wanted.get("ExcludeDataVolumeIds", []))
    wrong = sorted(left_out - set(devices)) + sorted(left_out & roots)
    if wrong:
        raise AwsError(
            "InvalidParameterValue",
            f"The volume '{wrong[0]}' is not a data volume of the instance "
            f"'{instance['InstanceId']}'.",
        )
    left_out |= roots if wanted.get("ExcludeBootVolume") else set()
    chosen = [ident for ident in volumes_of(instance) if ident not in left_out]
    if not chosen:
        raise AwsError("InvalidParameterValue", "There is no volume left to make a snapshot of.")
    return chosen


def _mapped(instance: Record) -> list[Record]:
    return [one for one in instance["BlockDeviceMappings"] if "Ebs" in one]


@operation("ec2", "CopySnapshot")
def copy_snapshot(call: Call) -> dict[str, Any]:
    """Copy a snapshot, also from another region."""
    ident, region = call.get("SourceSnapshotId"), call.get("SourceRegion")
    if region not in region_facts():
        raise AwsError("InvalidParameterValue", f"Invalid region: [{region}]")
    source = completed_snapshot(call, ident, region)
    like = {
        "VolumeId": COPY_OF,
        "Size": source["VolumeSize"],
        **encryption_of(call, call.parameters, source=source),
    }
    words = call.get("Description") or f"[Copied {ident} from {region}] {source['Description']}"
    tags = tags_for(call, SNAPSHOT)
    copied = {"_Disk": source["_Disk"]} if "_Disk" in source else {}
    copy = begin_snapshot(
        call, like, words.strip(), tags, source=ident, **_transfer(call), **copied
    )
    return {"SnapshotId": copy["SnapshotId"], "Tags": tags}


def _transfer(call: Call) -> dict[str, Any]:
    minutes = call.get("CompletionDurationMinutes")
    if minutes is None:
        return {"TransferType": "standard"}
    if minutes % _MINUTES or not _MINUTES <= minutes <= _MOST_MINUTES:
        raise AwsError(
            "InvalidParameterValue",
            f"The completion duration must be a multiple of {_MINUTES} minutes, and at most "
            f"{_MOST_MINUTES}.",
        )
    return {"TransferType": "time-based", "CompletionDurationMinutes": minutes}


@operation("ec2", "DeleteSnapshot")
def delete_snapshot(call: Call) -> None:
    """Delete a snapshot of one's own that no image is made of."""
    ident = own_snapshot(call, call.get("SnapshotId"))["SnapshotId"]
    image = image_of_snapshot(call, ident)
    if image is not None:
        raise AwsError(
            "InvalidSnapshot.InUse", f"The snapshot {ident} is currently in use by {image}"
        )
    drop_snapshot(call, ident)


def own_snapshot(call: Call, ident: str) -> Record:
    """Return a snapshot to read; raise AWS's own error for one that is another's."""
    found = snapshot_for(call, ident)
    if found["OwnerId"] != call.cloud.account:
        raise AwsError("AuthFailure", f"Not authorized for snapshot:{ident}", 403)
    return found
