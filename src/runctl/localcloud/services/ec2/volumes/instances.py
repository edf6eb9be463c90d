"""The volumes of instances: made with them, attached when their machines start, released after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.results import Feature
from runctl.localcloud.machines.spec import Volume
from runctl.localcloud.services.ec2.idents import SNAPSHOT, VOLUME, find, new_id
from runctl.localcloud.services.ec2.machineimages import published
from runctl.localcloud.services.ec2.tags import tags_in
from runctl.localcloud.services.ec2.volumes.files import GIB, make_volume
from runctl.localcloud.services.ec2.volumes.records import (
    attachment_of,
    drop_attachment,
    map_device,
    volume_record,
)
from runctl.localcloud.services.ec2.volumes.rules import shape_of
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

Mapping = dict[str, Any]


def make_root_and_data_volumes(
    call: Call, instance: Record, image: Record, wanted: list[Mapping]
) -> None:
    """Make the volumes of a new instance, attached from the start.

    ``wanted`` are the BlockDeviceMappings of RunInstances, put over those of the image.
    """
    mappings = {one["DeviceName"]: one for one in image["BlockDeviceMappings"] if "Ebs" in one}
    for one in wanted:
        device = one.get("DeviceName", "")
        if one.get("NoDevice") is not None:
            mappings.pop(device, None)
        elif one.get("VirtualName", "").startswith("ephemeral"):
            continue  # local disks are there by themselves
        else:
            known = mappings.get(device, {}).get("Ebs", {})
            mappings[device] = {"DeviceName": device, "Ebs": {**known, **one.get("Ebs", {})}}
    for device, mapping in mappings.items():
        _make(call, instance, device, mapping["Ebs"])


def _make(call: Call, instance: Record, device: str, ebs: Mapping) -> None:
    ident, now = new_id(VOLUME), call.cloud.clock()
    wanted = {**ebs, "Size": ebs.get("VolumeSize")}
    _check_snapshot(call, wanted)
    zone = instance["Placement"]["AvailabilityZone"]
    volume = volume_record(ident, zone, now, shape_of(wanted), wanted)
    attachment = attachment_of(
        volume,
        instance["InstanceId"],
        device,
        now,
        is_deleted_with=ebs.get("DeleteOnTermination", True),
    )
    attachment["State"] = "attached"
    volume |= {
        "State": "in-use",
        "Attachments": [attachment],
        "Tags": tags_in(call.get("TagSpecifications", []), VOLUME),
        "_IsRoot": device == instance["RootDeviceName"],
    }
    call.table("volume").put(ident, volume)
    map_device(instance, volume, attachment)
    call.settle("volume", ident)


def _check_snapshot(call: Call, wanted: Mapping) -> None:
    ident = wanted.get("SnapshotId")
    if not ident:
        if wanted.get("Size") is None:
            raise AwsError("InvalidBlockDeviceMapping", "Device needs a size or a snapshot")
        return
    least = _image_sizes(call).get(ident)
    if least is None:
        least = find(call, SNAPSHOT, ident)["VolumeSize"]
    wanted["Size"] = wanted.get("Size") or least
    if wanted["Size"] < least:
        raise AwsError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {wanted['Size']}GB is smaller than snapshot '{ident}', expect size "
            f">= {least}GB",
        )


def _image_sizes(call: Call) -> dict[str, int]:
    """Return the sizes of the published images' snapshots."""
    return {
        mapping["Ebs"]["SnapshotId"]: mapping["Ebs"]["VolumeSize"]
        for image in published(call.region).values()
        for mapping in image["BlockDeviceMappings"]
        if "Ebs" in mapping
    }


def release_volumes(transaction: Transaction, region: str, instance_id: str) -> list[str]:
    """Delete or detach the volumes of an instance that has ended; return those to be settled."""
    volumes = transaction.table("volume", region)
    instances = transaction.table("instance", region)
    touched = []
    for ident, volume in volumes.items():
        mine = [one for one in volume["Attachments"] if one["InstanceId"] == instance_id]
        if not mine:
            continue
        drop_attachment(volumes, instances, ident, instance_id)
        if mine[0]["DeleteOnTermination"] and not volumes.edit(ident)["Attachments"]:
            volumes.edit(ident)["State"] = "deleting"
            touched.append(ident)
    return touched


def attach_all(cloud: Cloud, region: str, instance_id: str) -> None:
    """Attach to a machine that has started all that its records say is attached."""
    with cloud.records.transaction() as transaction:
        found = [
            (volume, attachment)
            for volume in transaction.table("volume", region).values()
            for attachment in volume["Attachments"]
            if attachment["InstanceId"] == instance_id and not volume.get("_IsRoot")
        ]
    for volume, attachment in found:
        attach_one(cloud, volume, instance_id, attachment["Device"])


def attach_one(cloud: Cloud, volume: Record, instance_id: str, device: str) -> None:
    """Attach a volume's bytes to a machine, where the tier has block devices."""
    if Feature.BLOCK_DEVICES not in cloud.tier.report.features:
        return
    machine = cloud.tier.find(instance_id)
    ident = volume["VolumeId"]
    path = make_volume(cloud, ident, volume["SnapshotId"], volume["Size"] * GIB)
    if machine is None:
        raise MachineError("attach", f"the machine of {instance_id} is not there")
    machine.attach(Volume(ident, str(path), device))
