"""Policies of roles and users: managed ones that are attached, and those within."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.iam.documents import check_policy, encode
from runctl.localcloud.services.iam.entities import (
    ROLE,
    USER,
    Noun,
    check_name,
    edit,
    find,
    limit,
    missing,
)
from runctl.localcloud.services.iam.managed import check_size, find_policy, holders
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.wire.errors import AwsError

_MOST = 10
_MOST_BYTES = {"role": 10240, "user": 2048}


def _noun(call: Call) -> Noun:
    return USER if "User" in call.operation else ROLE


# ---------------------------------------------------------------- managed


@operation("iam", "AttachRolePolicy", "AttachUserPolicy")
def attach_policy(call: Call) -> None:
    """Attach a policy; again is harmless."""
    holder = edit(call, _noun(call))
    policy = find_policy(call, "Policy {} does not exist or is not attachable.")
    if not policy["IsAttachable"]:
        raise AwsError("PolicyNotAttachable", "Cannot attach a Service Role Policy.")
    if policy["Arn"] in holder["_Attached"]:
        return
    if len(holder["_Attached"]) >= _MOST:
        raise limit(f"Cannot exceed quota for PoliciesPer{_noun(call).member[:4]}: {_MOST}")
    holder["_Attached"].append(policy["Arn"])


@operation("iam", "DetachRolePolicy", "DetachUserPolicy")
def detach_policy(call: Call) -> None:
    """Detach a policy, which has to be attached."""
    holder = edit(call, _noun(call))
    arn = call.get("PolicyArn")
    if arn not in holder["_Attached"]:
        raise missing("Policy {} was not found.", arn)
    holder["_Attached"].remove(arn)


@operation("iam", "ListAttachedRolePolicies", "ListAttachedUserPolicies")
def list_attached_policies(call: Call) -> dict[str, Any]:
    """List what is attached."""
    arns = find(call, _noun(call))["_Attached"]
    told = [{"PolicyArn": arn, "PolicyName": arn.rpartition("/")[2]} for arn in arns]
    return page(call, "AttachedPolicies", told, sort_by="PolicyName")


@operation("iam", "ListEntitiesForPolicy")
def list_entities_for_policy(call: Call) -> dict[str, Any]:
    """List what a policy is attached to."""
    found = holders(call, find_policy(call)["Arn"])
    wanted = call.get("EntityFilter")
    roles = [one for one in found if "RoleName" in one and wanted in (None, "Role")]
    users = [one for one in found if "UserName" in one and wanted in (None, "User")]
    return {"PolicyRoles": roles, "PolicyUsers": users, "PolicyGroups": [], "IsTruncated": False}


# ---------------------------------------------------------------- within


@operation("iam", "PutRolePolicy", "PutUserPolicy")
def put_policy(call: Call) -> None:
    """Write a policy into a role or a user; one of the same name is replaced."""
    noun = _noun(call)
    holder, name = edit(call, noun), check_name(call, "PolicyName")
    text = call.get("PolicyDocument")
    check_policy(text)
    holder["_Policies"][name] = text
    check_size(
        "".join(holder["_Policies"].values()),
        _MOST_BYTES[noun.kind],
        f"Maximum policy size of {_MOST_BYTES[noun.kind]} bytes exceeded for {noun.kind} "
        f"{holder[noun.member]}",
    )


@operation("iam", "GetRolePolicy", "GetUserPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """Return a policy within a role or a user."""
    noun = _noun(call)
    holder, name = find(call, noun), check_name(call, "PolicyName")
    if name not in holder["_Policies"]:
        raise _missing(noun, name)
    document = encode(holder["_Policies"][name])
    return {noun.member: holder[noun.member], "PolicyName": name, "PolicyDocument": document}


@operation("iam", "ListRolePolicies", "ListUserPolicies")
def list_policies(call: Call) -> dict[str, Any]:
    """List the names of the policies within."""
    return page(call, "PolicyNames", list(find(call, _noun(call))["_Policies"]))


@operation("iam", "DeleteRolePolicy", "DeleteUserPolicy")
def delete_policy(call: Call) -> None:
    """Delete a policy within a role or a user."""
    noun = _noun(call)
    holder, name = edit(call, noun), check_name(call, "PolicyName")
    if holder["_Policies"].pop(name, None) is None:
        raise _missing(noun, name)


def _missing(noun: Noun, name: str) -> AwsError:
    return missing(f"The {noun.kind} policy with name {{}} cannot be found.", name)
