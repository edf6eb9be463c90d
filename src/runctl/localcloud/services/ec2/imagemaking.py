"""Images of one's own: made of instances, snapshots and other images; taken away again."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.idents import (
    IMAGE,
    INSTANCE,
    SNAPSHOT,
    check_form,
    find,
    new_id,
)
from runctl.localcloud.services.ec2.imageattributes import own_image
from runctl.localcloud.services.ec2.images import GONE, image_for, iso
from runctl.localcloud.services.ec2.imagesnapshots import (
    are_complete,
    copy_snapshots,
    drop_snapshots,
    map_snapshot,
    take_snapshots,
)
from runctl.localcloud.services.ec2.instances.states import check_state, state_of
from runctl.localcloud.services.ec2.machineimages import published
from runctl.localcloud.services.ec2.tags import merge, tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_ASK_AGAIN_S = 0.1
_NAME = r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}"


@operation("ec2", "CreateImage")
def create_image(call: Call) -> dict[str, Any]:
    """Make an image of an instance and snapshots of its volumes; it is rebooted, if not forbidden.

    What is on the root disk does not come along: it is no volume of the local cloud's.
    """
    instance = find(call, INSTANCE, call.get("InstanceId"))
    check_state(instance, "running", "stopped", "stopping", verb="imaged")
    source, ident = _origin(call, instance), new_id(IMAGE)
    mappings = take_snapshots(call, instance, ident, call.get("BlockDeviceMappings", []))
    kept = [one for one in source["BlockDeviceMappings"] if "VirtualName" in one]
    own = {
        "SourceInstanceId": instance["InstanceId"],
        "BlockDeviceMappings": mappings + kept,
        "RootDeviceName": instance["RootDeviceName"],
    }
    if state_of(instance) == "running" and not call.get("NoReboot"):
        call.then(partial(_reboot, call.cloud, instance["InstanceId"]))
    return _add(call, ident, source, own)


def _origin(call: Call, instance: Record) -> Record:
    """Return the image of an instance, or what is known of one that was deregistered."""
    gone = call.table(GONE).get(instance["ImageId"])
    return gone if gone is not None else image_for(call, instance["ImageId"])


def _reboot(cloud: Cloud, ident: str) -> None:
    machine = cloud.tier.find(ident)
    if machine is not None:
        machine.reboot(cloud.pace.grace_s)


@operation("ec2", "CopyImage")
def copy_image(call: Call) -> dict[str, Any]:
    """Copy an image, also from another region."""
    known = tokens.replay(call)
    if known is not None:
        return {"ImageId": known}
    source_id, region = call.get("SourceImageId"), call.get("SourceRegion")
    check_form(IMAGE, source_id)
    source = published(region).get(source_id) or call.table("image", region).get(source_id)
    if source is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{source_id}]' does not exist")
    ident = new_id(IMAGE)
    own = {
        "SourceImageId": source_id,
        "SourceImageRegion": region,
        "SourceInstanceId": None,
        "BlockDeviceMappings": copy_snapshots(call, source, region, ident),
    }
    tokens.remember(call, ident)
    inherited = source["Tags"] if call.get("CopyImageTags") else []
    return _add(call, ident, source, own, inherited)


@operation("ec2", "RegisterImage")
def register_image(call: Call) -> dict[str, Any]:
    """Make an image of a snapshot; of what it is a disk is remembered, or taken to be Ubuntu."""
    device = call.get("RootDeviceName")
    mappings = [map_snapshot(call, one) for one in call.get("BlockDeviceMappings", [])]
    root = next((one for one in mappings if one["DeviceName"] == device and "Ebs" in one), None)
    if root is None:
        raise AwsError("InvalidBlockDeviceMapping", "Root device name does not have a mapping.")
    snapshot = find(call, SNAPSHOT, root["Ebs"].get("SnapshotId", ""))
    names = ("BootMode", "TpmSupport", "ImdsSupport", "KernelId", "RamdiskId", "SriovNetSupport")
    source = {
        **_ubuntu(call.region),
        **dict.fromkeys(names),
        **snapshot.get("_Disk", {}),
    }
    own = {
        "BlockDeviceMappings": mappings,
        "RootDeviceName": device,
        "Architecture": call.get("Architecture", "i386"),
        "VirtualizationType": call.get("VirtualizationType", "paravirtual"),
        "EnaSupport": bool(call.get("EnaSupport")),
        **{name: call.get(name) for name in names},
    }
    return _add(call, new_id(IMAGE), source, own)


def _ubuntu(region: str) -> Record:
    return next(one for one in published(region).values() if "noble" in one["Name"])


def _add(
    call: Call, ident: str, source: Record, own: Record, tags: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    name = call.get("Name")
    _check_name(call, name)
    account = call.cloud.account
    image = {
        **source,
        "ImageId": ident,
        "Name": name,
        "Description": call.get("Description"),
        "OwnerId": account,
        "ImageOwnerAlias": None,
        "ImageLocation": f"{account}/{name}",
        "CreationDate": iso(call.cloud.clock()),
        "DeprecationTime": None,
        "State": "pending",
        "Public": False,
        "FreeTierEligible": None,
        "Tags": merge(tags or [], tags_for(call, IMAGE)),
        "_Permissions": [],
        "_Parameters": [],
        "_PendingSince": call.cloud.clock(),
        **own,
    }
    call.table("image").put(ident, image)
    call.settle("image", ident)
    return {"ImageId": ident}


def _check_name(call: Call, name: str) -> None:
    if not re.fullmatch(_NAME, name):
        raise AwsError(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, "
            "numbers, '(', ')', '.', '-', '/' and '_'",
        )
    for one in call.table("image").values():
        if one["Name"] == name:
            raise AwsError(
                "InvalidAMIName.Duplicate",
                f"AMI name {name} is already in use by AMI {one['ImageId']}",
            )


@settles("image")
def settle_image(cloud: Cloud, region: str, ident: str) -> None:
    """A pending image becomes available with its snapshots."""
    image = cloud.records.peek("image", region, ident)
    if image is None or image["State"] != "pending":
        return
    rest_s = image["_PendingSince"] + cloud.pace.snapshot_s - cloud.clock()
    with cloud.records.transaction() as transaction:
        if rest_s <= 0 and are_complete(transaction, region, image):
            table = transaction.table("image", region)
            if ident in table and table.edit(ident)["State"] == "pending":
                table.edit(ident)["State"] = "available"
            return
    cloud.settle_later(max(rest_s, _ASK_AGAIN_S), "image", region, ident)


@operation("ec2", "DeregisterImage")
def deregister_image(call: Call) -> dict[str, Any]:
    """Take an image away, and its snapshots where that is asked; its instances go on."""
    image = own_image(call, call.get("ImageId"))
    call.table("image").delete(image["ImageId"])
    call.table(GONE).put(image["ImageId"], image)
    results = drop_snapshots(call, image) if call.get("DeleteAssociatedSnapshots") else []
    return {"Return": True, "DeleteSnapshotResults": results}
