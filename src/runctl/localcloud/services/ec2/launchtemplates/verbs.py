"""Create, change and delete launch templates."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.aliases import image_of
from runctl.localcloud.services.ec2.idents import LAUNCH_TEMPLATE, new_id
from runctl.localcloud.services.ec2.launchtemplates.records import (
    KIND,
    check_name,
    find_template,
    find_version,
    named,
    number_of,
    told,
)
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MOST_VERSIONS = 10_000


@operation("ec2", "CreateLaunchTemplate")
def create_launch_template(call: Call) -> dict[str, Any]:
    """Make a template with its first version."""
    known = tokens.replay(call)
    if known is not None:
        return {"LaunchTemplate": find_template(call, {"LaunchTemplateId": known})}
    name = call.get("LaunchTemplateName")
    check_name(name)
    if named(call, name) is not None:
        raise AwsError(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        )
    template = _template(call, name)
    _add_version(call, template, call.get("LaunchTemplateData"))
    ident = template["LaunchTemplateId"]
    tokens.remember(call, ident)
    return {"LaunchTemplate": call.table(KIND).put(ident, template)}


def _template(call: Call, name: str) -> Record:
    return {
        "LaunchTemplateId": new_id(LAUNCH_TEMPLATE),
        "LaunchTemplateName": name,
        "CreateTime": call.cloud.clock(),
        "CreatedBy": call.caller.arn,
        "DefaultVersionNumber": 1,
        "LatestVersionNumber": 0,
        "Tags": tags_for(call, LAUNCH_TEMPLATE),
        "_Versions": [],
        "_Numbered": 0,
    }


def _add_version(call: Call, template: Record, data: dict[str, Any]) -> Record:
    if not data:
        raise AwsError("MissingParameter", "The launch template data must not be empty.")
    if len(template["_Versions"]) >= _MOST_VERSIONS:
        raise AwsError(
            "VersionLimitExceeded",
            "The maximum number of versions of a launch template is exceeded.",
        )
    template["_Numbered"] += 1
    template["LatestVersionNumber"] = template["_Numbered"]
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
    known = tokens.replay(call)
    template = _edit(call)
    if known is not None:
        return {"LaunchTemplateVersion": told(template, find_version(template, known))}
    data = dict(call.get("LaunchTemplateData"))
    if call.get("SourceVersion"):
        source = find_version(template, call.get("SourceVersion"))
        data = {**source["LaunchTemplateData"], **data}
    version = _add_version(call, template, data)
    tokens.remember(call, str(version["VersionNumber"]))
    if call.get("ResolveAlias") and "ImageId" in data:
        resolved = {**data, "ImageId": image_of(call, data["ImageId"])}
        version = {**version, "LaunchTemplateData": resolved}
    return {"LaunchTemplateVersion": told(template, version)}


def _edit(call: Call) -> Record:
    return call.table(KIND).edit(find_template(call, call.parameters)["LaunchTemplateId"])


@operation("ec2", "ModifyLaunchTemplate")
def modify_launch_template(call: Call) -> dict[str, Any]:
    """Choose the default version."""
    template = _edit(call)
    version = find_version(template, call.get("DefaultVersion") or "$Default")
    template["DefaultVersionNumber"] = version["VersionNumber"]
    return {"LaunchTemplate": template}


@operation("ec2", "DeleteLaunchTemplate")
def delete_launch_template(call: Call) -> dict[str, Any]:
    """Remove a template with all its versions."""
    template = _edit(call)
    call.table(KIND).delete(template["LaunchTemplateId"])
    return {"LaunchTemplate": template}


@operation("ec2", "DeleteLaunchTemplateVersions")
def delete_launch_template_versions(call: Call) -> dict[str, Any]:
    """Remove versions; the default one stays."""
    template = _edit(call)
    done, failed = [], []
    for wanted in call.get("Versions"):
        number = number_of(template, wanted)
        answer = {
            "LaunchTemplateId": template["LaunchTemplateId"],
            "LaunchTemplateName": template["LaunchTemplateName"],
            "VersionNumber": number,
        }
        problem = _delete_version(template, number)
        if problem is None:
            done.append(answer)
        else:
            failed.append({**answer, "ResponseError": problem})
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }


def _delete_version(template: Record, number: int | None) -> dict[str, str] | None:
    """Remove a version; return why it cannot be."""
    if number == template["DefaultVersionNumber"]:
        return {"Code": "unexpectedError", "Message": "Cannot delete default version"}
    kept = [one for one in template["_Versions"] if one["VersionNumber"] != number]
    if len(kept) == len(template["_Versions"]):
        words = f"The launch template version {number} does not exist."
        return {"Code": "launchTemplateVersionDoesNotExist", "Message": words}
    template["_Versions"] = kept
    template["LatestVersionNumber"] = max(one["VersionNumber"] for one in kept)
    return None
