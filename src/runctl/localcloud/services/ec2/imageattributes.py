"""What can be changed about an image of one's own: who may launch it, its description, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import IMAGE, not_found
from runctl.localcloud.services.ec2.images import image_for, iso
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

Permission = dict[str, str]
_READERS: dict[str, Callable[[Record], dict[str, Any]]] = {
    "description": lambda image: {"Description": {"Value": image.get("Description") or ""}},
    "kernel": lambda image: {"KernelId": {"Value": image.get("KernelId")}},
    "ramdisk": lambda image: {"RamdiskId": {"Value": image.get("RamdiskId")}},
    "launchPermission": lambda image: {"LaunchPermissions": image.get("_Permissions", [])},
    "productCodes": lambda image: {"ProductCodes": image["ProductCodes"]},
    "sriovNetSupport": lambda image: {"SriovNetSupport": {"Value": image.get("SriovNetSupport")}},
    "bootMode": lambda image: {"BootMode": {"Value": image.get("BootMode")}},
    "tpmSupport": lambda image: {"TpmSupport": {"Value": image.get("TpmSupport")}},
    "imdsSupport": lambda image: {"ImdsSupport": {"Value": image.get("ImdsSupport")}},
    "lastLaunchedTime": lambda _: {"LastLaunchedTime": {}},
    "uefiData": lambda _: {"UefiData": {}},
    "deregistrationProtection": lambda _: {"DeregistrationProtection": {"Value": "disabled"}},
}


def own_image(call: Call, ident: str) -> Record:
    """Return an image to change; raise AWS's own error for one that is another's."""
    image = image_for(call, ident)
    if image["OwnerId"] != call.cloud.account:
        raise _not_authorized(ident)
    if ident not in call.table("image"):
        raise not_found(IMAGE, [ident])
    return call.table("image").edit(ident)


def _not_authorized(ident: str) -> AwsError:
    return AwsError("AuthFailure", f"Not authorized for image:{ident}", 403)


@operation("ec2", "DescribeImageAttribute")
def describe_image_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of an image; only its owner may read them."""
    ident, name = call.get("ImageId"), call.get("Attribute")
    image = image_for(call, ident)
    if image["OwnerId"] != call.cloud.account or name == "blockDeviceMapping":
        raise _not_authorized(ident)  # of the mapping AWS documents so, even for the owner
    return {"ImageId": ident, **_READERS[name](image)}


@operation("ec2", "ModifyImageAttribute")
def modify_image_attribute(call: Call) -> None:
    """Change the description or the IMDS support of an image, or who may launch it."""
    image = own_image(call, call.get("ImageId"))
    name = call.get("Attribute")
    for member in ("Description", "ImdsSupport"):
        if call.get(member):
            image[member] = call.get(member).get("Value")
        elif name == member[:1].lower() + member[1:]:
            image[member] = call.get("Value")
    added, removed = _permission_changes(call)
    kept = [one for one in image["_Permissions"] if one not in removed]
    image["_Permissions"] = kept + [one for one in added if one not in kept]
    image["Public"] = {"Group": "all"} in image["_Permissions"]


def _permission_changes(call: Call) -> tuple[list[Permission], list[Permission]]:
    change = call.get("LaunchPermission", {})
    added, removed = list(change.get("Add", [])), list(change.get("Remove", []))
    users = [{"UserId": one} for one in call.get("UserIds", [])]
    groups = [{"Group": one} for one in call.get("UserGroups", [])]
    (removed if call.get("OperationType") == "remove" else added).extend(users + groups)
    for one in added + removed:
        _check_permission(one)
    return added, removed


def _check_permission(given: Permission) -> None:
    group, user = given.get("Group"), given.get("UserId")
    if group not in (None, "all"):
        _refuse(group, "userGroup")
    if user is not None and not (user.isdigit() and len(user) == 12):
        _refuse(user, "userId")


def _refuse(value: str, kind: str) -> None:
    raise AwsError(
        "InvalidAMIAttributeItemValue", f'Invalid attribute item value "{value}" for {kind} item.'
    )


@operation("ec2", "ResetImageAttribute")
def reset_image_attribute(call: Call) -> None:
    """Let nobody else launch an image any more."""
    own_image(call, call.get("ImageId")).update({"_Permissions": [], "Public": False})


@operation("ec2", "EnableImageDeprecation")
def enable_image_deprecation(call: Call) -> dict[str, Any]:
    """Let others see an image no more from some time on."""
    when = call.get("DeprecateAt")
    if when < call.cloud.clock():
        raise AwsError("InvalidParameterValue", "The deprecation time must be in the future.")
    own_image(call, call.get("ImageId"))["DeprecationTime"] = iso(round(when / 60) * 60.0)
    return {"Return": True}


@operation("ec2", "DisableImageDeprecation")
def disable_image_deprecation(call: Call) -> dict[str, Any]:
    """Take that back."""
    own_image(call, call.get("ImageId"))["DeprecationTime"] = None
    return {"Return": True}


@operation("ec2", "DisableImage", "EnableImage")
def disable_or_enable_image(call: Call) -> dict[str, Any]:
    """Let nobody launch an image for a while; nobody else ever again, unless permitted anew."""
    image = own_image(call, call.get("ImageId"))
    if call.operation == "EnableImage":
        image["State"] = "available"
    else:
        image.update({"State": "disabled", "_Permissions": [], "Public": False})
    return {"Return": True}
