"""What launch templates are there, and what their versions hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.aliases import image_of
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.launchtemplates.records import (
    KIND,
    find_template,
    find_version,
    told,
)
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "create-time": path("CreateTime"),
    "launch-template-name": path("LaunchTemplateName"),
}
_DATA = "LaunchTemplateData"
_VERSION_FILTERS: Mapping[str, Filter] = {
    "create-time": path("CreateTime"),
    "ebs-optimized": path(_DATA, "EbsOptimized"),
    "http-endpoint": path(_DATA, "MetadataOptions", "HttpEndpoint"),
    "http-protocol-ipv4": path(_DATA, "MetadataOptions", "HttpProtocolIpv4"),
    "http-tokens": path(_DATA, "MetadataOptions", "HttpTokens"),
    "host-resource-group-arn": path(_DATA, "Placement", "HostResourceGroupArn"),
    "iam-instance-profile": path(_DATA, "IamInstanceProfile", "Arn"),
    "image-id": path(_DATA, "ImageId"),
    "instance-type": path(_DATA, "InstanceType"),
    "is-default-version": path("DefaultVersion"),
    "kernel-id": path(_DATA, "KernelId"),
    "license-configuration-arn": path(_DATA, "LicenseSpecifications", "LicenseConfigurationArn"),
    "network-card-index": path(_DATA, "NetworkInterfaces", "NetworkCardIndex"),
    "ram-disk-id": path(_DATA, "RamDiskId"),
}
_NUMBERS = 10**9


@operation("ec2", "DescribeLaunchTemplates")
def describe_launch_templates(call: Call) -> dict[str, Any]:
    """List templates."""
    found = apply(_FILTERS, call.get("Filters"), _wanted(call))
    return page(
        call, "LaunchTemplates", found, sort_by="LaunchTemplateId", low=1, high=200, default=200
    )


def _wanted(call: Call) -> list[Record]:
    idents, names = call.get("LaunchTemplateIds") or (), call.get("LaunchTemplateNames") or ()
    if not idents and not names:
        return call.table(KIND).values()
    found = [find_template(call, {"LaunchTemplateId": ident}) for ident in idents]
    found += [find_template(call, {"LaunchTemplateName": name}) for name in names]
    return list({one["LaunchTemplateId"]: one for one in found}.values())


@operation("ec2", "DescribeLaunchTemplateVersions")
def describe_launch_template_versions(call: Call) -> dict[str, Any]:
    """List versions of one template, the newest first; or ``$Latest``, ``$Default`` of all."""
    found = [
        _told(call, template, version)
        for template in _templates(call)
        for version in _chosen(call, template)
        if _is_within(call, version["VersionNumber"])
    ]
    found = apply(_VERSION_FILTERS, call.get("Filters"), found)
    return page(
        call, "LaunchTemplateVersions", found, sort_by="_Order", low=1, high=200, default=200
    )


def _templates(call: Call) -> list[Record]:
    if call.get("LaunchTemplateId") or call.get("LaunchTemplateName"):
        return [find_template(call, call.parameters)]
    versions = call.get("Versions")
    if not versions or not set(versions) <= {"$Latest", "$Default"}:
        raise AwsError(
            "MissingParameter",
            "You must specify either a launch template ID or a launch template name.",
        )
    return call.table(KIND).values()


def _chosen(call: Call, template: Record) -> list[Record]:
    wanted = call.get("Versions")
    if not wanted:
        return list(template["_Versions"])
    found = [find_version(template, one) for one in wanted]
    return list({one["VersionNumber"]: one for one in found}.values())


def _is_within(call: Call, number: int) -> bool:
    low, high = call.get("MinVersion"), call.get("MaxVersion")
    if (low or high) and call.get("Versions"):
        raise AwsError(
            "InvalidParameterCombination",
            "You cannot specify a range of versions together with individual versions.",
        )
    return _number(low, 0) <= number <= _number(high, number)


def _number(text: str | None, otherwise: int) -> int:
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit()):
        raise AwsError("InvalidParameterValue", f"Invalid launch template version: {text}")
    return int(text)


def _told(call: Call, template: Record, version: Record) -> Record:
    found = told(template, version)
    data = found[_DATA]
    if call.get("ResolveAlias") and "ImageId" in data:
        found[_DATA] = {**data, "ImageId": image_of(call, data["ImageId"])}
    newest_first = _NUMBERS - version["VersionNumber"]
    return {**found, "_Order": f"{template['LaunchTemplateId']} {newest_first:010d}"}
