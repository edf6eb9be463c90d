"""The block device mappings of a launch: those of the image, changed by those of the call."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import VOLUME
from runctl.localcloud.services.ec2.snapshots.records import snapshot_for
from runctl.localcloud.services.ec2.tags import tags_in
from runctl.localcloud.services.ec2.volumes.records import (
    attachment_of,
    map_device,
    volume_record,
)
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

Mapping = dict[str, Any]
_PERFORMANCE = ("Iops", "Throughput")


def make_root_and_data_volumes(
    call: Call,
    instance: Record,
    image: Record,
    wanted: list[Mapping],
    specifications: list[Mapping] | None = None,
) -> None:
    """Make the volumes of a new instance, attached from the start.

    ``wanted`` are the BlockDeviceMappings of RunInstances, put over those of the image;
    ``specifications`` its TagSpecifications, where they are not those of the call.
    """
    if specifications is None:
        specifications = call.get("TagSpecifications", [])
    tags = tags_in(specifications, VOLUME)
    for device, ebs in merged(image, wanted).items():
        volume = _make(call, instance, device, ebs)
        volume["Tags"] = [dict(tag) for tag in tags]


def merged(image: Record, wanted: list[Mapping]) -> dict[str, Mapping]:
    """Return what is to be at each device: the ``Ebs`` of an image's mappings and a call's."""
    found = {one["DeviceName"]: one["Ebs"] for one in image["BlockDeviceMappings"] if "Ebs" in one}
    seen = set()
    for one in wanted:
        device = one.get("DeviceName", "")
        if device in seen:
            raise _bad(f"The device '{device}' is used in more than one block-device mapping")
        seen.add(device)
        if one.get("NoDevice") is not None:
            found.pop(device, None)
        elif "Ebs" in one:
            is_root = device == image["RootDeviceName"]
            found[device] = _changed(found.get(device, {}), one["Ebs"], is_root=is_root)
        elif not one.get("VirtualName", "").startswith("ephemeral"):
            raise _bad(f"The mapping of device '{device}' has neither a volume nor a local disk")
    return found


def _changed(known: Mapping, given: Mapping, *, is_root: bool) -> Mapping:
    snapshot = given.get("SnapshotId")
    if is_root and snapshot and snapshot != known.get("SnapshotId"):
        raise _bad("snapshotId cannot be modified on root device")
    if given.get("VolumeType", known.get("VolumeType")) != known.get("VolumeType"):
        known = {name: one for name, one in known.items() if name not in _PERFORMANCE}
    return {**known, **given}


def _make(call: Call, instance: Record, device: str, ebs: Mapping) -> Record:
    wanted = {**ebs, "Size": ebs.get("VolumeSize")}
    snapshot = snapshot_for(call, wanted["SnapshotId"]) if wanted.get("SnapshotId") else None
    if snapshot is not None:
        _fit(wanted, snapshot)
    if wanted.get("Throughput") and wanted.get("VolumeType") != "gp3":
        raise _bad(f"throughput cannot be specified with the volumeType of device '{device}'")
    zone, now = instance["Placement"]["AvailabilityZone"], call.cloud.clock()
    volume = volume_record(call, zone, wanted, snapshot)
    is_deleted_with = ebs.get("DeleteOnTermination", True)
    ident = instance["InstanceId"]
    attachment = attachment_of(volume, ident, device, now, is_deleted_with=is_deleted_with)
    is_root = device == instance["RootDeviceName"]
    volume |= {"State": "in-use", "Attachments": [attachment], "_IsEmpty": not is_root}
    map_device(instance, volume, attachment)
    call.settle("volume", volume["VolumeId"])
    return call.table("volume").put(volume["VolumeId"], volume)


def _fit(wanted: Mapping, snapshot: Record) -> None:
    least, ident = snapshot["VolumeSize"], snapshot["SnapshotId"]
    wanted["Size"] = wanted["Size"] or least
    if wanted["Size"] < least:
        raise _bad(
            f"Volume of size {wanted['Size']}GB is smaller than  snapshot '{ident}', expect size "
            f">= {least}GB"
        )


def _bad(words: str) -> AwsError:
    return AwsError("InvalidBlockDeviceMapping", words)
