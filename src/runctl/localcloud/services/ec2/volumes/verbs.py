"""Create and delete volumes."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.idents import VOLUME, edit, find
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.services.ec2.snapshots.records import completed_snapshot
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.services.ec2.volumes.records import check_deletable, volume_record
from runctl.localcloud.services.ec2.volumes.rules import check_multi_attach, shape_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_RATES = (100, 300)


@operation("ec2", "CreateVolume")
def create_volume(call: Call) -> Record:
    """Make a volume, blank or of a snapshot."""
    known = tokens.replay(call)
    if known is not None:
        return find(call, VOLUME, known)
    zone, wanted = _zone(call), dict(call.parameters)
    snapshot = _snapshot(call, wanted)
    check_multi_attach(wanted, shape_of(wanted)["VolumeType"])
    volume = volume_record(call, zone, wanted, snapshot)
    ident = volume["VolumeId"]
    volume["Tags"] = tags_for(call, VOLUME)
    tokens.remember(call, ident)
    call.settle("volume", ident)
    return call.table("volume").put(ident, volume)


def _zone(call: Call) -> str:
    name, ident, zones = (
        call.get("AvailabilityZone"),
        call.get("AvailabilityZoneId"),
        zones_of(call.region),
    )
    if name and ident:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together",
        )
    if not (name or ident):
        raise AwsError("MissingParameter", "The request must contain the parameter zone")
    found = name if name in zones else next((n for n, i in zones.items() if i == ident), None)
    if found is None:
        raise AwsError("InvalidZone.NotFound", f"The zone '{name or ident}' does not exist.")
    return str(found)


def _snapshot(call: Call, wanted: dict[str, Any]) -> Record | None:
    rate = wanted.get("VolumeInitializationRate")
    if not wanted.get("SnapshotId"):
        if rate is not None:
            raise AwsError(
                "InvalidParameterCombination",
                "VolumeInitializationRate is supported only for volumes made of snapshots.",
            )
        return None
    if rate is not None and not _RATES[0] <= rate <= _RATES[1]:
        raise AwsError(
            "InvalidParameterValue", f"VolumeInitializationRate must be between {_RATES[0]} and "
            f"{_RATES[1]} MiB/s."
        )  # fmt: skip
    snapshot = completed_snapshot(call, wanted["SnapshotId"])
    least = snapshot["VolumeSize"]
    wanted.setdefault("Size", least)
    if wanted["Size"] < least:
        raise AwsError(
            "InvalidParameterValue",
            f"The size '{wanted['Size']}' is smaller than the size '{least}' of snapshot "
            f"'{snapshot['SnapshotId']}'.",
        )
    return snapshot


@operation("ec2", "DeleteVolume")
def delete_volume(call: Call) -> None:
    """Delete a volume that is attached to nothing."""
    volume = edit(call, VOLUME, call.get("VolumeId"))
    check_deletable(volume)
    volume.update({"State": "deleting", "_DeletingSince": call.cloud.clock()})
    call.settle("volume", volume["VolumeId"])


@operation("ec2", "ModifyVolumeAttribute")
def modify_volume_attribute(call: Call) -> None:
    """Say what is to be done after an inconsistency, which does not happen here."""
    given = call.get("AutoEnableIO")
    if given is None:
        raise AwsError("MissingParameter", "The request must contain the parameter autoEnableIO")
    edit(call, VOLUME, call.get("VolumeId"))["_AutoEnableIO"] = bool(given.get("Value"))
