"""Images: which there are, and which of them may be launched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import IMAGE, check_form
from runctl.localcloud.services.ec2.machineimages import published
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ssm.parameters import find_parameter
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

GONE = "deregistered-image"
"""Images that were deregistered: AWS knows their ids for a while, and says so."""
_RESOLVE = "resolve:ssm:"
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
    "free-tier-eligible": path("FreeTierEligible"),
    "hypervisor": path("Hypervisor"),
    "image-id": path("ImageId"),
    "image-type": path("ImageType"),
    "is-public": path("Public"),
    "kernel-id": path("KernelId"),
    "manifest-location": path("ImageLocation"),
    "name": path("Name"),
    "owner-alias": path("ImageOwnerAlias"),
    "owner-id": path("OwnerId"),
    "platform": path("Platform"),
    "platform-details": path("PlatformDetails"),
    "product-code": path("ProductCodes", "ProductCodeId"),
    "product-code.type": path("ProductCodes", "ProductCodeType"),
    "public-ssm-parameter-name": path("_Parameters"),
    "ramdisk-id": path("RamdiskId"),
    "root-device-name": path("RootDeviceName"),
    "root-device-type": path("RootDeviceType"),
    "source-image-id": path("SourceImageId"),
    "source-image-region": path("SourceImageRegion"),
    "source-instance-id": path("SourceInstanceId"),
    "sriov-net-support": path("SriovNetSupport"),
    "state": path("State"),
    "state-reason-code": path("StateReason", "Code"),
    "state-reason-message": path("StateReason", "Message"),
    "virtualization-type": path("VirtualizationType"),
}


def image_for(call: Call, ident: str) -> Record:
    """Return an image to launch from; raise AWS's own error for an id that is bad or unknown.

    In place of an id there may be a parameter that holds one, as ``resolve:ssm:name``.
    """
    if ident.startswith(_RESOLVE):
        ident = _resolve(call, ident.removeprefix(_RESOLVE))
    check_form(IMAGE, ident)
    if ident in call.table(GONE):
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{ident}' is no longer available")
    found = published(call.region).get(ident) or call.table("image").get(ident)
    if found is None:
        raise _unknown([ident])
    return found


def _resolve(call: Call, name: str) -> str:
    try:
        return str(find_parameter(call, name)["Value"])
    except AwsError as error:
        raise AwsError(
            "InvalidParameterValue", f"The parameter {name} could not be resolved to an image."
        ) from error


def image_of_snapshot(call: Call, ident: str) -> str | None:
    """Return an image of one's own that is made of a snapshot, which so cannot be deleted."""
    for image in call.table("image").values():
        if ident in path(*_EBS, "SnapshotId")(image):
            return str(image["ImageId"])
    return None


@operation("ec2", "DescribeImages")
def describe_images(call: Call) -> dict[str, Any]:
    """List images: published ones and one's own."""
    found = _named(call, call.get("ImageIds"))
    owners, users = call.get("Owners"), call.get("ExecutableUsers")
    if owners:
        found = [image for image in found if _is_owned(call, image, owners)]
    if users:
        found = [image for image in found if _is_executable(call, image, users)]
    found = [image for image in found if _is_shown(call, image)]
    found = apply(FILTERS, call.get("Filters"), found)
    return page(call, "Images", found, sort_by="ImageId", low=1)


def _named(call: Call, wanted: list[str] | None) -> list[Record]:
    known = {**published(call.region), **dict(call.table("image").items())}
    if not wanted:
        return list(known.values())
    for ident in wanted:
        check_form(IMAGE, ident)
    gone = call.table(GONE)
    missing = [ident for ident in wanted if ident not in known and ident not in gone]
    if missing:
        raise _unknown(missing)
    return [known[ident] for ident in dict.fromkeys(wanted) if ident in known]


def _unknown(idents: list[str]) -> AwsError:
    if len(idents) == 1:
        return AwsError("InvalidAMIID.NotFound", f"The image id '[{idents[0]}]' does not exist")
    words = f"The image ids '[{', '.join(idents)}]' do not exist"
    return AwsError("InvalidAMIID.NotFound", words)


def _is_owned(call: Call, image: Record, owners: list[str]) -> bool:
    names = {image["OwnerId"], image.get("ImageOwnerAlias")}
    if image["OwnerId"] == call.cloud.account:
        names.add("self")
    return bool(names & set(owners))


def _is_executable(call: Call, image: Record, users: list[str]) -> bool:
    """Whether launching is permitted expressly; owning an image is no such permission."""
    given = {one.get("Group") or one.get("UserId") for one in image.get("_Permissions", [])}
    if image["Public"]:
        given.add("all")
    if call.cloud.account in given:
        given.add("self")
    return bool(given & set(users))


def _is_shown(call: Call, image: Record) -> bool:
    """Deprecated images are shown to their owner, or where that is asked; so are disabled ones."""
    if image["State"] == "disabled" and not call.get("IncludeDisabled"):
        return False
    when = image.get("DeprecationTime")
    if when is None or call.get("IncludeDeprecated") or image["OwnerId"] == call.cloud.account:
        return True
    return bool(when > iso(call.cloud.clock()))


def iso(moment: float) -> str:
    """Return a time as images have it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
