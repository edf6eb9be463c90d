"""Images: those that are published, and those made from instances and snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import (
    IMAGE,
    INSTANCE,
    SNAPSHOT,
    check_form,
    find,
    new_id,
    not_found,
)
from runctl.localcloud.services.ec2.machineimages import published
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_EBS = ("BlockDeviceMappings", "Ebs")
FILTERS: Mapping[str, Filter] = {
    "architecture": path("Architecture"),
    "block-device-mapping.delete-on-termination": path(*_EBS, "DeleteOnTermination"),
    "block-device-mapping.device-name": path("BlockDeviceMappings", "DeviceName"),
    "block-device-mapping.encrypted": path(*_EBS, "Encrypted"),
    "block-device-mapping.snapshot-id": path(*_EBS, "SnapshotId"),
    "block-device-mapping.volume-size": path(*_EBS, "VolumeSize"),
    "block-device-mapping.volume-type": path(*_EBS, "VolumeType"),
    "boot-mode": path("BootMode"),
    "creation-date": path("CreationDate"),
    "description": path("Description"),
    "ena-support": path("EnaSupport"),
    "hypervisor": path("Hypervisor"),
    "image-id": path("ImageId"),
    "image-type": path("ImageType"),
    "is-public": path("Public"),
    "manifest-location": path("ImageLocation"),
    "name": path("Name"),
    "owner-alias": path("ImageOwnerAlias"),
    "owner-id": path("OwnerId"),
    "platform": path("Platform"),
    "root-device-name": path("RootDeviceName"),
    "root-device-type": path("RootDeviceType"),
    "source-instance-id": path("SourceInstanceId"),
    "state": path("State"),
    "state-reason-code": path("StateReason", "Code"),
    "virtualization-type": path("VirtualizationType"),
}


def image_for(call: Call, ident: str) -> Record:
    """Return an image to launch from; raise AWS's own error for an id that is bad or unknown."""
    check_form(IMAGE, ident)
    found = published(call.region).get(ident) or call.table("image").get(ident)
    if found is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{ident}]' does not exist")
    return found


@operation("ec2", "DescribeImages")
def describe_images(call: Call) -> dict[str, Any]:
    """List images: published ones and one's own."""
    known = {**published(call.region), **dict(call.table("image").items())}
    wanted = call.get("ImageIds")
    for ident in wanted or ():
        check_form(IMAGE, ident)
    missing = [ident for ident in wanted or () if ident not in known]
    if missing:
        words = ", ".join(missing)
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{words}]' does not exist")
    found = [known[ident] for ident in dict.fromkeys(wanted or known)]
    owners = call.get("Owners")
    if owners:
        found = [image for image in found if _is_owned(call, image, owners)]
    found = apply(FILTERS, call.get("Filters"), found)
    return page(call, "Images", found, sort_by="ImageId", low=1)


def _is_owned(call: Call, image: Record, owners: list[str]) -> bool:
    names = {image["OwnerId"], image.get("ImageOwnerAlias")}
    if image["OwnerId"] == call.cloud.account:
        names.add("self")
    return bool(names & set(owners))


@operation("ec2", "DescribeImageAttribute")
def describe_image_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of an image."""
    image, name = image_for(call, call.get("ImageId")), call.get("Attribute")
    answers: dict[str, dict[str, Any]] = {
        "description": {"Description": {"Value": image.get("Description", "")}},
        "launchPermission": {"LaunchPermissions": image.get("_Permissions", [])},
        "blockDeviceMapping": {"BlockDeviceMappings": image["BlockDeviceMappings"]},
        "productCodes": {"ProductCodes": []},
        "bootMode": {"BootMode": {"Value": image.get("BootMode", "")}},
    }
    if name == "launchPermission" and image["OwnerId"] != call.cloud.account:
        raise AwsError("AuthFailure", f"Not authorized for image:{image['ImageId']}", 403)
    return {"ImageId": image["ImageId"], **answers.get(name, {})}


@operation("ec2", "ModifyImageAttribute")
def modify_image_attribute(call: Call) -> None:
    """Change the description of an image of one's own, or who may launch it."""
    image = _own(call, call.get("ImageId"))
    if call.get("Description"):
        image["Description"] = call.get("Description")["Value"]
    change = call.get("LaunchPermission", {})
    kept = [one for one in image["_Permissions"] if one not in change.get("Remove", [])]
    image["_Permissions"] = kept + [one for one in change.get("Add", []) if one not in kept]
    image["Public"] = {"Group": "all"} in image["_Permissions"]


@operation("ec2", "CreateImage")
def create_image(call: Call) -> dict[str, Any]:
    """Make an image of an instance; its disks are taken over by their sizes."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    source = image_for(call, instance["ImageId"])
    return _add(call, source, {"SourceInstanceId": instance["InstanceId"]})


@operation("ec2", "CopyImage")
def copy_image(call: Call) -> dict[str, Any]:
    """Copy an image, also from another region."""
    ident, region = call.get("SourceImageId"), call.get("SourceRegion")
    source = published(region).get(ident) or call.table("image", region).get(ident)
    if source is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{ident}]' does not exist")
    return _add(call, source, {"SourceImageId": ident, "SourceImageRegion": region})


@operation("ec2", "RegisterImage")
def register_image(call: Call) -> dict[str, Any]:
    """Make an image of a snapshot."""
    device = call.get("RootDeviceName", "/dev/sda1")
    mappings = call.get("BlockDeviceMappings", [])
    root = next((one for one in mappings if one["DeviceName"] == device), None)
    if root is None:
        raise AwsError("InvalidBlockDeviceMapping", f"No root device at {device} is mapped")
    snapshot = find(call, SNAPSHOT, root.get("Ebs", {}).get("SnapshotId", ""))
    root["Ebs"].setdefault("VolumeSize", snapshot["VolumeSize"])
    source = next(iter(published(call.region).values()))
    own = {
        "BlockDeviceMappings": mappings,
        "RootDeviceName": device,
        "Architecture": call.get("Architecture", "i386"),
    }
    return _add(call, source, own)


def _add(call: Call, source: Record, own: Record) -> dict[str, Any]:
    name = call.get("Name")
    if any(one["Name"] == name for one in call.table("image").values()):
        raise AwsError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI")
    ident = new_id(IMAGE)
    created = datetime.fromtimestamp(call.cloud.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    image = {
        **source,
        "ImageId": ident,
        "Name": name,
        "Description": call.get("Description"),
        "OwnerId": call.cloud.account,
        "ImageOwnerAlias": None,
        "ImageLocation": f"{call.cloud.account}/{name}",
        "CreationDate": created,
        "DeprecationTime": None,
        "State": "pending",
        "Public": False,
        "Tags": tags_for(call, IMAGE),
        "_Permissions": [],
        **own,
    }
    call.table("image").put(ident, image)
    call.settle("image", ident)
    return {"ImageId": ident}


@settles("image")
def settle_image(cloud: Cloud, region: str, ident: str) -> None:
    """A pending image becomes available."""
    with cloud.records.transaction() as transaction:
        table = transaction.table("image", region)
        found = table.get(ident)
        if found is not None and found["State"] == "pending":
            table.edit(ident)["State"] = "available"


@operation("ec2", "DeregisterImage")
def deregister_image(call: Call) -> dict[str, Any]:
    """Remove an image of one's own."""
    call.table("image").delete(_own(call, call.get("ImageId"))["ImageId"])
    return {"Return": True}


def _own(call: Call, ident: str) -> Record:
    image = image_for(call, ident)
    if image["OwnerId"] != call.cloud.account:
        raise AwsError("AuthFailure", f"Not authorized for image:{ident}", 403)
    if ident not in call.table("image"):
        raise not_found(IMAGE, [ident])
    return call.table("image").edit(ident)
