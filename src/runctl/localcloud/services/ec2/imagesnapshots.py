"""The snapshots behind images: taken of an instance's volumes, copied, deleted with an image."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import SNAPSHOT, VOLUME, find
from runctl.localcloud.services.ec2.images import image_of_snapshot
from runctl.localcloud.services.ec2.snapshots.records import (
    COPY_OF,
    begin_snapshot,
    drop_snapshot,
)
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record, Transaction

Mapping = dict[str, Any]
_PERFORMANCE = {"gp3": ("Iops", "Throughput"), "io1": ("Iops",), "io2": ("Iops",)}
_DISK = ("_LoginUser", "_HasPython", "_Init")


def take_snapshots(
    call: Call, instance: Record, image_id: str, wanted: list[Mapping]
) -> list[Mapping]:
    """Begin a snapshot of each volume of an instance; return the mappings of its image.

    ``wanted`` are the BlockDeviceMappings of CreateImage, put over what is attached.
    """
    changes = {one.get("DeviceName"): one for one in wanted}
    disk = {key: one for key, one in instance["_Image"].items() if key in _DISK}
    found = []
    for attached in instance["BlockDeviceMappings"]:
        device = attached["DeviceName"]
        change = changes.pop(device, {})
        if change.get("NoDevice") is not None:
            continue
        volume = find(call, VOLUME, attached["Ebs"]["VolumeId"])
        words = f"Created by CreateImage({instance['InstanceId']}) for {image_id}"
        snapshot = begin_snapshot(call, volume, words, tags_for(call, SNAPSHOT))
        if device == instance["RootDeviceName"]:
            snapshot["_Disk"] = disk
        ebs = _ebs(volume, snapshot, attached["Ebs"]["DeleteOnTermination"])
        found.append({"DeviceName": device, "Ebs": {**ebs, **change.get("Ebs", {})}})
    return found + [one for one in changes.values() if one.get("NoDevice") is None]


def copy_snapshots(call: Call, source: Record, region: str, image_id: str) -> list[Mapping]:
    """Begin copies of the snapshots of an image; return the mappings of its copy."""
    return [
        _copy(call, one, source["ImageId"], region, image_id) if "Ebs" in one else one
        for one in source["BlockDeviceMappings"]
    ]


def _copy(call: Call, mapping: Mapping, source_id: str, region: str, image_id: str) -> Mapping:
    ebs = mapping["Ebs"]
    old = call.table(SNAPSHOT.kind, region).get(ebs["SnapshotId"]) or {}
    words = (
        f"Copied for DestinationAmi {image_id} from SourceAmi {source_id} for SourceSnapshot "
        f"{ebs['SnapshotId']}."
    )
    volume = {
        "VolumeId": COPY_OF,
        "Size": ebs["VolumeSize"],
        "Encrypted": bool(call.get("Encrypted") or ebs.get("Encrypted")),
    }
    tags, disk = tags_for(call, SNAPSHOT), old.get("_Disk", {})
    snapshot = begin_snapshot(call, volume, words, tags, source=ebs["SnapshotId"], _Disk=disk)
    changed = {"SnapshotId": snapshot["SnapshotId"], "Encrypted": volume["Encrypted"]}
    return {**mapping, "Ebs": {**ebs, **changed}}


def _ebs(volume: Record, snapshot: Record, is_deleted_with: bool) -> Mapping:
    return {
        "DeleteOnTermination": is_deleted_with,
        "SnapshotId": snapshot["SnapshotId"],
        "VolumeSize": volume["Size"],
        "Encrypted": volume["Encrypted"],
        "VolumeType": volume["VolumeType"],
        **{name: volume[name] for name in _PERFORMANCE.get(volume["VolumeType"], ())},
    }


def map_snapshot(call: Call, mapping: Mapping) -> Mapping:
    """Return a mapping of RegisterImage with what its snapshot says."""
    ebs = mapping.get("Ebs")
    if not ebs or not ebs.get("SnapshotId"):
        return mapping
    snapshot = find(call, SNAPSHOT, ebs["SnapshotId"])
    known = {
        "DeleteOnTermination": True,
        "VolumeType": "gp2",
        "VolumeSize": snapshot["VolumeSize"],
        "Encrypted": snapshot["Encrypted"],
    }
    return {**mapping, "Ebs": {**known, **ebs}}


def are_complete(transaction: Transaction, region: str, image: Record) -> bool:
    """Whether no snapshot of an image is still being made."""
    snapshots = transaction.table(SNAPSHOT.kind, region)
    idents = [one.get("Ebs", {}).get("SnapshotId") or "" for one in image["BlockDeviceMappings"]]
    found = [one for ident in idents if (one := snapshots.get(ident)) is not None]
    return all(one["State"] != "pending" for one in found)


def drop_snapshots(call: Call, image: Record) -> list[dict[str, str]]:
    """Delete the snapshots of an image that has gone, but for those of another image too."""
    results = []
    for mapping in image["BlockDeviceMappings"]:
        ident = mapping.get("Ebs", {}).get("SnapshotId")
        if ident not in call.table(SNAPSHOT.kind):
            continue
        if image_of_snapshot(call, ident):
            results.append({"SnapshotId": ident, "ReturnCode": "skipped"})
            continue
        drop_snapshot(call, ident)
        results.append({"SnapshotId": ident, "ReturnCode": "success"})
    return results
