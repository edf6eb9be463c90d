"""The records of launch templates, and what they are in the form of RunInstances' parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.aliases import image_of
from runctl.localcloud.services.ec2.idents import LAUNCH_TEMPLATE
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

KIND = LAUNCH_TEMPLATE.kind
# What a template may hold and RunInstances does not take, or not in this form.
_NOT_OF_A_RUN = ("TagSpecifications", "InstanceRequirements", "RamDiskId")
_NAME = re.compile(r"[A-Za-z0-9()./_-]{3,128}")
_ID = re.compile(r"lt-[0-9a-f]{8}([0-9a-f]{9})?")


def resolve(call: Call, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a version, in the form of RunInstances' parameters.

    ``wanted`` has the id or the name, and a version: a number, ``$Latest`` or ``$Default``.
    ``_TagSpecifications`` and ``_SystemTags`` are what the instances are to be tagged with.
    """
    template = find_template(call, wanted)
    version = find_version(template, wanted.get("Version") or "$Default")
    data = version["LaunchTemplateData"]
    parameters = {name: value for name, value in data.items() if name not in _NOT_OF_A_RUN}
    if "ImageId" in parameters:
        parameters["ImageId"] = image_of(call, parameters["ImageId"])
    own = [
        {"Key": "aws:ec2launchtemplate:id", "Value": template["LaunchTemplateId"]},
        {"Key": "aws:ec2launchtemplate:version", "Value": str(version["VersionNumber"])},
    ]
    tags = data.get("TagSpecifications", [])
    return parameters | {"_TagSpecifications": tags, "_SystemTags": own}


def find_template(call: Call, wanted: Mapping[str, Any]) -> Record:
    """Return the template that is named by ``LaunchTemplateId`` or by ``LaunchTemplateName``."""
    ident, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    if ident and name:
        raise AwsError(
            "InvalidParameterCombination",
            "You must specify either a launch template ID or a launch template name, but not both.",
        )
    if ident:
        return _by_id(call, ident)
    if name:
        return _by_name(call, name)
    raise AwsError(
        "MissingParameter",
        "You must specify either a launch template ID or a launch template name.",
    )


def _by_id(call: Call, ident: str) -> Record:
    if not _ID.fullmatch(ident):
        raise AwsError(
            "InvalidLaunchTemplateId.Malformed",
            f"The launch template ID '{ident}' is malformed. Specify it in the form "
            "lt-xxxxxxxxxxxxxxxxx.",
        )
    found = call.table(KIND).get(ident)
    if found is None:
        raise AwsError(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {ident}, does not exist.",
        )
    return found


def _by_name(call: Call, name: str) -> Record:
    found = named(call, name)
    if found is None:
        raise AwsError(
            "InvalidLaunchTemplateName.NotFoundException",
            f"The specified launch template, with template name {name}, does not exist.",
        )
    return found


def named(call: Call, name: str) -> Record | None:
    """Return the template of a name; None where there is none."""
    templates = call.table(KIND).values()
    return next((one for one in templates if one["LaunchTemplateName"] == name), None)


def check_name(name: str) -> None:
    """Raise for what cannot be the name of a template."""
    if not _NAME.fullmatch(name):
        raise AwsError(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain "
            "letters, numbers, and the following characters: - ( ) . / _.",
        )


def number_of(template: Record, wanted: str) -> int | None:
    """Return the number that a version's name means; None where it cannot be one."""
    if wanted == "$Latest":
        return int(template["LatestVersionNumber"])
    if wanted == "$Default":
        return int(template["DefaultVersionNumber"])
    return int(wanted) if wanted.isascii() and wanted.isdigit() else None


def find_version(template: Record, wanted: str) -> Record:
    """Return a version by its number, or by ``$Latest`` or ``$Default``."""
    number = number_of(template, wanted)
    if number is None:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid launch template version: either '$Default', '$Latest', or a numeric version "
            f"are allowed: {wanted}",
        )
    for version in template["_Versions"]:
        if version["VersionNumber"] == number:
            return dict(version)
    raise AwsError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version {wanted} for the launch template with ID "
        f"{template['LaunchTemplateId']}.",
    )


def told(template: Record, version: Record) -> Record:
    """Return a version as it is described."""
    is_default = version["VersionNumber"] == template["DefaultVersionNumber"]
    return {**version, "DefaultVersion": is_default}
