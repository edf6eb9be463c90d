"""Launch templates: what RunInstances is to be told, kept under a name and in versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import INSTANCE, LAUNCH_TEMPLATE, find, new_id
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "create-time": path("CreateTime"),
    "launch-template-name": path("LaunchTemplateName"),
}
# What a template may hold and RunInstances does not take in this form.
_NOT_OF_A_RUN = ("TagSpecifications", "InstanceRequirements", "RamDiskId")


def resolve(call: Call, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a version, in the form of RunInstances' parameters.

    ``wanted`` has the id or the name, and a version: a number, ``$Latest`` or ``$Default``.
    """
    template = _find(call, wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName"))
    version = _version(template, wanted.get("Version") or "$Default")
    data = dict(version["LaunchTemplateData"])
    tags = data.pop("TagSpecifications", [])
    parameters = {name: value for name, value in data.items() if name not in _NOT_OF_A_RUN}
    own = [
        {"Key": "aws:ec2launchtemplate:id", "Value": template["LaunchTemplateId"]},
        {"Key": "aws:ec2launchtemplate:version", "Value": str(version["VersionNumber"])},
    ]
    return parameters | {"_TagSpecifications": tags, "_SystemTags": own}


def _find(call: Call, ident: str | None, name: str | None) -> Record:
    if ident:
        return find(call, LAUNCH_TEMPLATE, ident)
    for template in call.table("launch-template").values():
        if template["LaunchTemplateName"] == name:
            return template
    raise AwsError(
        "InvalidLaunchTemplateName.NotFoundException",
        f"The specified launch template, with template name {name}, does not exist.",
    )


def _version(template: Record, wanted: str) -> Record:
    named = {
        "$Latest": template["LatestVersionNumber"],
        "$Default": template["DefaultVersionNumber"],
    }
    number = str(named.get(wanted, wanted))
    for version in template["_Versions"]:
        if str(version["VersionNumber"]) == number:
            return dict(version)
    raise AwsError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find launch template version {wanted} for launch template "
        f"{template['LaunchTemplateId']}",
    )


@operation("ec2", "CreateLaunchTemplate")
def create_launch_template(call: Call) -> dict[str, Any]:
    """Make a template with its first version."""
    known = tokens.replay(call)
    if known is not None:
        return {"LaunchTemplate": find(call, LAUNCH_TEMPLATE, known)}
    name = call.get("LaunchTemplateName")
    if any(one["LaunchTemplateName"] == name for one in call.table("launch-template").values()):
        raise AwsError(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        )
    ident = new_id(LAUNCH_TEMPLATE)
    template: Record = {
        "LaunchTemplateId": ident,
        "LaunchTemplateName": name,
        "CreateTime": call.cloud.clock(),
        "CreatedBy": call.caller.arn,
        "DefaultVersionNumber": 1,
        "LatestVersionNumber": 0,
        "Tags": tags_for(call, LAUNCH_TEMPLATE),
        "_Versions": [],
    }
    _add_version(call, template, call.get("LaunchTemplateData"))
    tokens.remember(call, ident)
    return {"LaunchTemplate": call.table("launch-template").put(ident, template)}


def _add_version(call: Call, template: Record, data: dict[str, Any]) -> Record:
    template["LatestVersionNumber"] += 1
    version = {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LaunchTemplateName": template["LaunchTemplateName"],
        "VersionNumber": template["LatestVersionNumber"],
        "VersionDescription": call.get("VersionDescription"),
        "CreateTime": call.cloud.clock(),
        "CreatedBy": call.caller.arn,
        "LaunchTemplateData": data,
    }
    template["_Versions"].append(version)
    return version


@operation("ec2", "CreateLaunchTemplateVersion")
def create_launch_template_version(call: Call) -> dict[str, Any]:
    """Add a version; it may begin with the data of an earlier one."""
    template = _edit(call)
    data = dict(call.get("LaunchTemplateData"))
    if call.get("SourceVersion"):
        source = _version(template, call.get("SourceVersion"))
        data = {**source["LaunchTemplateData"], **data}
    version = _add_version(call, template, data)
    return {"LaunchTemplateVersion": _with_default(template, version)}


def _edit(call: Call) -> Record:
    found = _find(call, call.get("LaunchTemplateId"), call.get("LaunchTemplateName"))
    return call.table("launch-template").edit(found["LaunchTemplateId"])


def _with_default(template: Record, version: Record) -> Record:
    is_default = version["VersionNumber"] == template["DefaultVersionNumber"]
    return {**version, "DefaultVersion": is_default}


@operation("ec2", "DescribeLaunchTemplates")
def describe_launch_templates(call: Call) -> dict[str, Any]:
    """List templates."""
    idents, names = call.get("LaunchTemplateIds"), call.get("LaunchTemplateNames")
    found = call.table("launch-template").values()
    if idents:
        found = [_find(call, ident, None) for ident in idents]
    elif names:
        found = [_find(call, None, name) for name in names]
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "LaunchTemplates", found, sort_by="LaunchTemplateId", low=1, high=200)


@operation("ec2", "DescribeLaunchTemplateVersions")
def describe_launch_template_versions(call: Call) -> dict[str, Any]:
    """List versions of one template; or ``$Latest``, ``$Default`` of all."""
    wanted = call.get("Versions")
    if call.get("LaunchTemplateId") or call.get("LaunchTemplateName"):
        template = _find(call, call.get("LaunchTemplateId"), call.get("LaunchTemplateName"))
        templates = [template]
    else:
        templates = call.table("launch-template").values()
    found = [
        {**_with_default(template, version), "_Id": f"{version['VersionNumber']:09d}"}
        for template in templates
        for version in _chosen(template, wanted)
        if _is_within(call, version["VersionNumber"])
    ]
    return page(call, "LaunchTemplateVersions", found, sort_by="_Id", low=1, high=200)


def _chosen(template: Record, wanted: list[str] | None) -> list[Record]:
    if wanted is None:
        return list(template["_Versions"])
    return [_version(template, one) for one in dict.fromkeys(wanted)]


def _is_within(call: Call, number: int) -> bool:
    low, high = call.get("MinVersion"), call.get("MaxVersion")
    return int(low or 0) <= number <= int(high or number)


@operation("ec2", "ModifyLaunchTemplate")
def modify_launch_template(call: Call) -> dict[str, Any]:
    """Choose the default version."""
    template = _edit(call)
    version = _version(template, call.get("DefaultVersion") or "$Default")
    template["DefaultVersionNumber"] = version["VersionNumber"]
    return {"LaunchTemplate": template}


@operation("ec2", "DeleteLaunchTemplate")
def delete_launch_template(call: Call) -> dict[str, Any]:
    """Remove a template with all its versions."""
    template = _edit(call)
    call.table("launch-template").delete(template["LaunchTemplateId"])
    return {"LaunchTemplate": template}


@operation("ec2", "DeleteLaunchTemplateVersions")
def delete_launch_template_versions(call: Call) -> dict[str, Any]:
    """Remove versions; the default one stays."""
    template = _edit(call)
    done, failed = [], []
    for number in call.get("Versions"):
        answer = {
            "LaunchTemplateId": template["LaunchTemplateId"],
            "LaunchTemplateName": template["LaunchTemplateName"],
            "VersionNumber": int(number),
        }
        if int(number) == template["DefaultVersionNumber"]:
            code = "unexpectedError"
            words = "Cannot delete default version"
            failed.append({**answer, "ResponseError": {"Code": code, "Message": words}})
            continue
        done.append(answer)
    gone = {one["VersionNumber"] for one in done}
    template["_Versions"] = [
        one for one in template["_Versions"] if one["VersionNumber"] not in gone
    ]
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }


@operation("ec2", "GetLaunchTemplateData")
def get_launch_template_data(call: Call) -> dict[str, Any]:
    """Return the data of a template from which an instance could have been launched."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    names = ("ImageId", "InstanceType", "KeyName", "EbsOptimized")
    data = {name: instance.get(name) for name in names}
    groups = [one["GroupId"] for one in instance["SecurityGroups"]]
    return {"LaunchTemplateData": {**data, "SecurityGroupIds": groups}}
