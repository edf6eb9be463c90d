"""Managed policies: those of the account, which have versions, and those of AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.iam.awsmanaged import aws_policies
from runctl.localcloud.services.iam.documents import check_policy, encode
from runctl.localcloud.services.iam.entities import (
    arn_of,
    check_name,
    check_path,
    conflict,
    limit,
    merge_tags,
    missing,
    new_id,
)
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_MOST_VERSIONS = 5
_MOST_BYTES = 6144
_HOLDERS = ("role", "user")


def text_of(cloud: Cloud, arn: str) -> str | None:
    """Return the document that is in force under an ARN; None where there is no such policy."""
    policy = aws_policies().get(arn) or cloud.records.peek("policy", "", arn)
    return None if policy is None else str(_default(policy)["_Text"])


def find_policy(call: Call, words: str = "Policy {} was not found.") -> Record:
    """Return the policy that a call names."""
    arn = call.get("PolicyArn")
    if not re.fullmatch(r"arn:aws:iam::(\d{12}|aws):policy/.+", arn):
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")
    policy = aws_policies().get(arn) or call.table("policy", "").get(arn)
    if policy is None:
        raise missing(words, arn)
    return policy


def holders(call: Call, arn: str) -> list[Record]:
    """Return the roles and users that a policy is attached to."""
    return [
        one for kind in _HOLDERS for one in call.table(kind, "").values() if arn in one["_Attached"]
    ]


def check_size(document: str, most: int, words: str) -> None:
    """Raise if a document is too large; white space does not count."""
    if len(re.sub(r"\s", "", document)) > most:
        raise limit(words)


def _edit_own(call: Call) -> Record:
    policy = find_policy(call)
    if policy["Arn"].startswith("arn:aws:iam::aws:"):
        raise AwsError(
            "AccessDenied", f"Policy {policy['Arn']} is managed by AWS and cannot be changed.", 403
        )
    return call.table("policy", "").edit(policy["Arn"])


def _default(policy: Record) -> Record:
    return next(v for v in policy["_Versions"] if v["VersionId"] == policy["DefaultVersionId"])


def _shown(call: Call, policy: Record) -> Record:
    return {
        **policy,
        "AttachmentCount": len(holders(call, policy["Arn"])),
        "PermissionsBoundaryUsageCount": _boundary_uses(call, policy["Arn"]),
    }


def _boundary_uses(call: Call, arn: str) -> int:
    everyone = [one for kind in _HOLDERS for one in call.table(kind, "").values()]
    bounds = [one.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for one in everyone]
    return bounds.count(arn)


def _shown_version(policy: Record, version: Record, *, with_text: bool = False) -> Record:
    shown = {**version, "IsDefaultVersion": version["VersionId"] == policy["DefaultVersionId"]}
    return shown | ({"Document": encode(version["_Text"])} if with_text else {})


@operation("iam", "CreatePolicy")
def create_policy(call: Call) -> dict[str, Any]:
    """Make a policy with its first version."""
    name, path, text = check_name(call, "PolicyName"), check_path(call), call.get("PolicyDocument")
    arn, table = arn_of(call, "policy", path, name), call.table("policy", "")
    if any(name.lower() == one["PolicyName"].lower() for one in table.values()):
        words = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise AwsError("EntityAlreadyExists", words, 409)
    _check_document(text)
    now = call.cloud.clock()
    policy = {
        "PolicyName": name,
        "PolicyId": new_id("ANPA"),
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": "v1",
        "IsAttachable": True,
        "Description": call.get("Description"),
        "CreateDate": now,
        "UpdateDate": now,
        "Tags": merge_tags([], call.get("Tags", [])),
        "_Versions": [{"VersionId": "v1", "CreateDate": now, "_Text": text}],
        "_Next": 2,
    }
    return {"Policy": _shown(call, table.put(arn, policy))}


def _check_document(text: str) -> None:
    check_policy(text)
    check_size(text, _MOST_BYTES, f"Cannot exceed quota for PolicySize: {_MOST_BYTES}")


@operation("iam", "GetPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """Return a policy, without its document."""
    return {"Policy": _shown(call, find_policy(call))}


@operation("iam", "ListPolicies")
def list_policies(call: Call) -> dict[str, Any]:
    """List policies: AWS's, the account's, or those that are attached."""
    scope, prefix = call.get("Scope", "All"), call.get("PathPrefix", "/")
    found = list(aws_policies().values()) if scope != "Local" else []
    found += call.table("policy", "").values() if scope != "AWS" else []
    shown = [
        {**_shown(call, one), "Tags": None, "Description": None}
        for one in found
        if one["Path"].startswith(prefix)
    ]
    if call.get("OnlyAttached"):
        shown = [one for one in shown if one["AttachmentCount"]]
    return page(call, "Policies", shown, sort_by="Arn")


@operation("iam", "DeletePolicy")
def delete_policy(call: Call) -> None:
    """Delete a policy that is attached to nothing and has no other version."""
    policy = _edit_own(call)
    if holders(call, policy["Arn"]):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(policy["_Versions"]) > 1:
        raise conflict(
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )
    call.table("policy", "").delete(policy["Arn"])


@operation("iam", "CreatePolicyVersion")
def create_policy_version(call: Call) -> dict[str, Any]:
    """Add a version: five at most."""
    policy, text = _edit_own(call), call.get("PolicyDocument")
    _check_document(text)
    if len(policy["_Versions"]) >= _MOST_VERSIONS:
        raise limit(
            "A managed policy can have up to 5 versions. Before you create a new version, you "
            "must delete an existing version."
        )
    now = call.cloud.clock()
    version = {"VersionId": f"v{policy['_Next']}", "CreateDate": now, "_Text": text}
    policy["_Versions"].append(version)
    policy |= {"_Next": policy["_Next"] + 1, "UpdateDate": now}
    if call.get("SetAsDefault"):
        policy["DefaultVersionId"] = version["VersionId"]
    return {"PolicyVersion": _shown_version(policy, version)}


def _find_version(policy: Record, ident: str) -> Record:
    for version in policy["_Versions"]:
        if version["VersionId"] == ident:
            return dict(version)
    raise missing("Policy {} version {} does not exist or is not attachable.", policy["Arn"], ident)


@operation("iam", "GetPolicyVersion")
def get_policy_version(call: Call) -> dict[str, Any]:
    """Return a version with its document."""
    policy = find_policy(call)
    version = _find_version(policy, call.get("VersionId"))
    return {"PolicyVersion": _shown_version(policy, version, with_text=True)}


@operation("iam", "ListPolicyVersions")
def list_policy_versions(call: Call) -> dict[str, Any]:
    """List the versions of a policy."""
    policy = find_policy(call)
    shown = [_shown_version(policy, version) for version in policy["_Versions"]]
    return page(call, "Versions", shown, sort_by="VersionId")


@operation("iam", "DeletePolicyVersion")
def delete_policy_version(call: Call) -> None:
    """Delete a version that is not in force."""
    policy, ident = _edit_own(call), call.get("VersionId")
    _find_version(policy, ident)
    if ident == policy["DefaultVersionId"]:
        raise conflict("Cannot delete the default version of a policy.")
    policy["_Versions"] = [one for one in policy["_Versions"] if one["VersionId"] != ident]


@operation("iam", "SetDefaultPolicyVersion")
def set_default_policy_version(call: Call) -> None:
    """Put a version in force."""
    policy = _edit_own(call)
    policy["DefaultVersionId"] = _find_version(policy, call.get("VersionId"))["VersionId"]


@operation("iam", "TagPolicy")
def tag_policy(call: Call) -> None:
    """Put tags on a policy."""
    policy = _edit_own(call)
    policy["Tags"] = merge_tags(policy["Tags"], call.get("Tags"))


@operation("iam", "UntagPolicy")
def untag_policy(call: Call) -> None:
    """Take tags off a policy."""
    policy = _edit_own(call)
    policy["Tags"] = [tag for tag in policy["Tags"] if tag["Key"] not in call.get("TagKeys")]


@operation("iam", "ListPolicyTags")
def list_policy_tags(call: Call) -> dict[str, Any]:
    """List the tags of a policy."""
    return page(call, "Tags", find_policy(call)["Tags"], sort_by="Key")
