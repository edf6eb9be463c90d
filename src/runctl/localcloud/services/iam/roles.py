"""Roles: what they are, and whom they trust."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.iam.awsmanaged import aws_policies
from runctl.localcloud.services.iam.documents import check_trust, encode
from runctl.localcloud.services.iam.entities import (
    ROLE,
    arn_of,
    begin,
    conflict,
    edit,
    find,
    merge_tags,
    missing,
    new_id,
)
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_HOUR_S = 3600
_LINKED = "/aws-service-role/"
LINKED_SERVICES = {
    "autoscaling.amazonaws.com": "AutoScaling",
    "ec2fleet.amazonaws.com": "EC2Fleet",
    "spot.amazonaws.com": "EC2Spot",
    "spotfleet.amazonaws.com": "EC2SpotFleet",
    "ssm.amazonaws.com": "AmazonSSM",
}


def trusting(document: str) -> Record:
    """Return the members that hold a trust policy: as it is answered, and as it is read."""
    check_trust(document)
    return {"AssumeRolePolicyDocument": encode(document), "_Trust": document}


def boundary_of(call: Call) -> Record:
    """Return the member that holds a permissions boundary, where one is given."""
    arn = call.get("PermissionsBoundary")
    if not arn:
        return {}
    if arn not in aws_policies() and arn not in call.table("policy", ""):
        raise missing("Scope ARN: {} does not exist or is not attachable.", arn)
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    return {"PermissionsBoundary": boundary}


@operation("iam", "CreateRole")
def create_role(call: Call) -> dict[str, Any]:
    """Make a role, which may do nothing yet."""
    role = {
        **begin(call, ROLE),
        **trusting(call.get("AssumeRolePolicyDocument")),
        **boundary_of(call),
        "Description": call.get("Description"),
        "MaxSessionDuration": call.get("MaxSessionDuration", _HOUR_S),
        "RoleLastUsed": {},
        "_Policies": {},
        "_Attached": [],
    }
    return {"Role": call.table("role", "").put(role["RoleName"], role)}


@operation("iam", "GetRole")
def get_role(call: Call) -> dict[str, Any]:
    """Return a role."""
    return {"Role": find(call, ROLE)}


@operation("iam", "ListRoles")
def list_roles(call: Call) -> dict[str, Any]:
    """List roles, without what only GetRole tells."""
    prefix = call.get("PathPrefix", "/")
    found = [
        {**role, "Tags": None, "RoleLastUsed": None, "PermissionsBoundary": None}
        for role in call.table("role", "").values()
        if role["Path"].startswith(prefix)
    ]
    return page(call, "Roles", found, sort_by="RoleName")


@operation("iam", "UpdateRole")
def update_role(call: Call) -> None:
    """Change the description and the length of sessions."""
    role = _edit_own(call)
    for name in ("Description", "MaxSessionDuration"):
        if call.get(name) is not None:
            role[name] = call.get(name)


@operation("iam", "UpdateRoleDescription")
def update_role_description(call: Call) -> dict[str, Any]:
    """Change the description: the older form."""
    role = _edit_own(call)
    role["Description"] = call.get("Description")
    return {"Role": role}


@operation("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(call: Call) -> None:
    """Change whom a role trusts."""
    _edit_own(call).update(trusting(call.get("PolicyDocument")))


@operation("iam", "DeleteRole")
def delete_role(call: Call) -> None:
    """Delete a role that nothing is attached to, and that is in no instance profile."""
    role = _edit_own(call)
    name = role["RoleName"]
    if any(name in one["_Roles"] for one in call.table("instance-profile", "").values()):
        raise conflict("Cannot delete entity, must remove roles from instance profile first.")
    if role["_Attached"]:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if role["_Policies"]:
        raise conflict("Cannot delete entity, must delete policies first.")
    call.table("role", "").delete(name)


@operation("iam", "TagRole")
def tag_role(call: Call) -> None:
    """Put tags on a role."""
    role = edit(call, ROLE)
    role["Tags"] = merge_tags(role["Tags"], call.get("Tags"))


@operation("iam", "UntagRole")
def untag_role(call: Call) -> None:
    """Take tags off a role."""
    role = edit(call, ROLE)
    role["Tags"] = [tag for tag in role["Tags"] if tag["Key"] not in call.get("TagKeys")]


@operation("iam", "ListRoleTags")
def list_role_tags(call: Call) -> dict[str, Any]:
    """List the tags of a role."""
    return page(call, "Tags", find(call, ROLE)["Tags"], sort_by="Key")


@operation("iam", "PutRolePermissionsBoundary")
def put_role_permissions_boundary(call: Call) -> None:
    """Set the boundary of a role."""
    _edit_own(call).update(boundary_of(call))


@operation("iam", "DeleteRolePermissionsBoundary")
def delete_role_permissions_boundary(call: Call) -> None:
    """Take the boundary of a role away."""
    _edit_own(call).pop("PermissionsBoundary", None)


def _edit_own(call: Call) -> Record:
    """Return a role to change, unless it is a service's."""
    role = edit(call, ROLE)
    if role["Path"].startswith(_LINKED):
        raise AwsError(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{role['RoleName']}' - this "
            "role is only modifiable by AWS",
        )
    return role


# ---------------------------------------------------------------- of services


@operation("iam", "CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> dict[str, Any]:
    """Make the role that a service needs, once."""
    service = call.get("AWSServiceName")
    if service not in LINKED_SERVICES:
        raise AwsError("InvalidInput", f"Service {service} does not exist or has no such role.")
    name = f"AWSServiceRoleFor{LINKED_SERVICES[service]}"
    if name in call.table("role", ""):
        raise AwsError(
            "InvalidInput",
            f"Service role name {name} has been taken in this account, please try a different "
            "suffix.",
        )
    return {"Role": call.table("role", "").put(name, _linked_role(call, service, name))}


def _linked_role(call: Call, service: str, name: str) -> Record:
    path = f"{_LINKED}{service}/"
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":'
        f'"{service}"}},"Action":"sts:AssumeRole"}}]}}'
    )
    return {
        "Path": path,
        "RoleName": name,
        "RoleId": new_id(ROLE.prefix),
        "Arn": arn_of(call, "role", path, name),
        "CreateDate": call.cloud.clock(),
        "Description": call.get("Description"),
        "MaxSessionDuration": _HOUR_S,
        "Tags": [],
        "RoleLastUsed": {},
        "_Policies": {},
        "_Attached": [],
        **trusting(trust),
    }


@operation("iam", "DeleteServiceLinkedRole")
def delete_service_linked_role(call: Call) -> dict[str, Any]:
    """Delete the role of a service; the task is done at once."""
    role = find(call, ROLE)
    call.table("role", "").delete(role["RoleName"])
    return {"DeletionTaskId": f"task{role['Path']}{role['RoleName']}/{call.request_id}"}


@operation("iam", "GetServiceLinkedRoleDeletionStatus")
def get_service_linked_role_deletion_status(call: Call) -> dict[str, Any]:
    """Say that it is done."""
    del call
    return {"Status": "SUCCEEDED"}
