"""Volumes that change type, size, IOPS or throughput: modifying, optimizing, completed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import VOLUME, edit, find_all
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.volumes.files import GIB, volume_path
from runctl.localcloud.services.ec2.volumes.growing import grow
from runctl.localcloud.services.ec2.volumes.rules import check_multi_attach, shape_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

KIND = "volume-modification"
_MEMBERS = ("VolumeType", "Size", "Iops", "Throughput", "MultiAttachEnabled")
_MOST, _WITHIN_S = 4, 86400.0
"""So many modifications of a volume in so long."""
_DEFAULT_IOPS = 3000
_FILTERS: Mapping[str, Filter] = {
    "modification-state": path("ModificationState"),
    "original-iops": path("OriginalIops"),
    "original-size": path("OriginalSize"),
    "original-volume-type": path("OriginalVolumeType"),
    "originalMultiAttachEnabled": path("OriginalMultiAttachEnabled"),
    "start-time": path("StartTime"),
    "target-iops": path("TargetIops"),
    "target-size": path("TargetSize"),
    "target-volume-type": path("TargetVolumeType"),
    "targetMultiAttachEnabled": path("TargetMultiAttachEnabled"),
    "volume-id": path("VolumeId"),
}


@operation("ec2", "ModifyVolume")
def modify_volume(call: Call) -> dict[str, Any]:
    """Change a volume, attached or not; it never shrinks."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    ident, now = volume["VolumeId"], call.cloud.clock()
    if volume["State"] not in ("available", "in-use"):
        raise AwsError(
            "IncorrectState", f"The volume '{ident}' is in the '{volume['State']}' state."
        )
    if not any(call.get(name) is not None for name in _MEMBERS):
        raise AwsError(
            "MissingParameter", "The request must contain the parameter size, volumeType or iops"
        )
    starts = _check_rate(call.table(KIND).get(ident), now)
    target = _target(call, volume)
    record = {
        "VolumeId": ident,
        "ModificationState": "modifying",
        "Progress": 0,
        "StartTime": now,
        **{f"Original{name}": volume.get(name) for name in _MEMBERS},
        **{f"Target{name}": target.get(name) for name in _MEMBERS},
        "_Target": target,
        "_Starts": [*starts, now],
    }
    call.settle(KIND, ident)
    return {"VolumeModification": call.table(KIND).put(ident, record)}


def _check_rate(last: Record | None, now: float) -> list[float]:
    """Return when the volume was modified of late."""
    if last is None:
        return []
    state = last["ModificationState"]
    if state not in ("completed", "failed"):
        raise AwsError(
            "IncorrectModificationState",
            f"Volume {last['VolumeId']} cannot be modified in modification state {state.upper()}",
        )
    starts = [one for one in last["_Starts"] if one > now - _WITHIN_S]
    if len(starts) >= _MOST:
        when = datetime.fromtimestamp(starts[0] + _WITHIN_S, UTC).isoformat()
        raise AwsError(
            "VolumeModificationRateExceeded",
            "You've reached the maximum modification rate per volume limit. You can modify the "
            f"volume again after {when}.",
        )
    return starts


def _target(call: Call, volume: Record) -> dict[str, Any]:
    kind = call.get("VolumeType") or volume["VolumeType"]
    wanted = {"VolumeType": kind, "Size": call.get("Size") or volume["Size"]}
    if wanted["Size"] < volume["Size"]:
        raise AwsError("InvalidParameterValue", "New size cannot be smaller than existing size")
    for name in ("Iops", "Throughput"):
        kept = volume.get(name) if kind == volume["VolumeType"] != "gp2" else None
        value = call.get(name) if call.get(name) is not None else kept
        if value is not None:
            wanted[name] = value
    if kind in ("io1", "io2"):
        wanted.setdefault("Iops", _DEFAULT_IOPS)
    is_shared = call.get("MultiAttachEnabled")
    wanted["MultiAttachEnabled"] = volume["MultiAttachEnabled"] if is_shared is None else is_shared
    check_multi_attach(wanted, kind)
    return {**shape_of(wanted), "MultiAttachEnabled": wanted["MultiAttachEnabled"]}


@operation("ec2", "DescribeVolumesModifications")
def describe_volumes_modifications(call: Call) -> dict[str, Any]:
    """List what was modified last."""
    idents = call.get("VolumeIds")
    found = call.table(KIND).values()
    if idents:
        find_all(call, VOLUME, idents)
        found = [one for one in found if one["VolumeId"] in idents]
        missing = set(idents) - {one["VolumeId"] for one in found}
        if missing:
            raise AwsError(
                "InvalidVolumeModification.NotFound",
                f"Modification for volume '{min(missing)}' does not exist.",
            )
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "VolumesModifications", found, sort_by="VolumeId", low=1, high=500)


@settles(KIND)
def settle_modification(cloud: Cloud, region: str, ident: str) -> None:
    """Bring about what is being modified."""
    record = cloud.records.peek(KIND, region, ident)
    if record is None or record["ModificationState"] not in ("modifying", "optimizing"):
        return
    is_first = record["ModificationState"] == "modifying"
    pace = cloud.pace.modifying_s + (0.0 if is_first else cloud.pace.optimizing_s)
    rest_s = record["StartTime"] + pace - cloud.clock()
    if rest_s <= 0 and is_first:
        _modify(cloud, region, record)
    elif rest_s <= 0:
        done = {"ModificationState": "completed", "Progress": 100, "EndTime": cloud.clock()}
        _update(cloud, region, ident, done)
        return
    cloud.settle_later(max(rest_s, 0.0), KIND, region, ident)


def _modify(cloud: Cloud, region: str, record: Record) -> None:
    ident, target = record["VolumeId"], record["_Target"]
    with cloud.jobs.alone(f"volume:{ident}"):
        grow(volume_path(cloud, ident), target["Size"] * GIB)
        with cloud.records.transaction() as transaction:
            table = transaction.table("volume", region)
            if ident in table:
                volume = table.edit(ident)
                for name in ("Iops", "Throughput"):
                    volume.pop(name, None)
                volume.update(target)
            _update(cloud, region, ident, {"ModificationState": "optimizing", "Progress": 1})


def _update(cloud: Cloud, region: str, ident: str, members: dict[str, Any]) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table(KIND, region)
        if ident in table:
            table.edit(ident).update(members)
