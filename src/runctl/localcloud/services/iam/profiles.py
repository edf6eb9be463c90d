"""Instance profiles: how a role comes to an instance."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.iam.entities import (
    PROFILE,
    ROLE,
    begin,
    conflict,
    edit,
    find,
    limit,
    merge_tags,
    missing,
)
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.state.records import Record


def shown(call: Call, profile: Record) -> Record:
    """Return a profile as it is answered: with its role in full."""
    table = call.table("role", "")
    roles = [{**role, "Tags": None} for name in profile["_Roles"] if (role := table.get(name))]
    return {**profile, "Roles": roles}


@operation("iam", "CreateInstanceProfile")
def create_instance_profile(call: Call) -> dict[str, Any]:
    """Make a profile without a role."""
    profile = {**begin(call, PROFILE), "_Roles": []}
    call.table("instance-profile", "").put(profile["InstanceProfileName"], profile)
    return {"InstanceProfile": shown(call, profile)}


@operation("iam", "GetInstanceProfile")
def get_instance_profile(call: Call) -> dict[str, Any]:
    """Return a profile."""
    return {"InstanceProfile": shown(call, find(call, PROFILE))}


@operation("iam", "ListInstanceProfiles")
def list_instance_profiles(call: Call) -> dict[str, Any]:
    """List profiles."""
    prefix = call.get("PathPrefix", "/")
    found = [one for one in _all(call) if one["Path"].startswith(prefix)]
    return _page(call, found)


@operation("iam", "ListInstanceProfilesForRole")
def list_instance_profiles_for_role(call: Call) -> dict[str, Any]:
    """List the profiles that a role is in."""
    name = find(call, ROLE)["RoleName"]
    return _page(call, [one for one in _all(call) if name in one["_Roles"]])


def _all(call: Call) -> list[Record]:
    return call.table("instance-profile", "").values()


def _page(call: Call, profiles: list[Record]) -> dict[str, Any]:
    told = [{**shown(call, one), "Tags": None} for one in profiles]
    return page(call, "InstanceProfiles", told, sort_by="InstanceProfileName")


@operation("iam", "AddRoleToInstanceProfile")
def add_role_to_instance_profile(call: Call) -> None:
    """Put a role in a profile, which holds one at most."""
    profile, role = edit(call, PROFILE), find(call, ROLE)
    if profile["_Roles"]:
        raise limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    profile["_Roles"] = [role["RoleName"]]


@operation("iam", "RemoveRoleFromInstanceProfile")
def remove_role_from_instance_profile(call: Call) -> None:
    """Take the role out of a profile."""
    profile, role = edit(call, PROFILE), find(call, ROLE)
    if role["RoleName"] not in profile["_Roles"]:
        raise missing(ROLE.missing, role["RoleName"])
    profile["_Roles"] = []


@operation("iam", "DeleteInstanceProfile")
def delete_instance_profile(call: Call) -> None:
    """Delete a profile that has no role."""
    profile = find(call, PROFILE)
    if profile["_Roles"]:
        raise conflict("Cannot delete entity, must remove roles from instance profile first.")
    call.table("instance-profile", "").delete(profile["InstanceProfileName"])


@operation("iam", "TagInstanceProfile")
def tag_instance_profile(call: Call) -> None:
    """Put tags on a profile."""
    profile = edit(call, PROFILE)
    profile["Tags"] = merge_tags(profile["Tags"], call.get("Tags"))


@operation("iam", "UntagInstanceProfile")
def untag_instance_profile(call: Call) -> None:
    """Take tags off a profile."""
    profile = edit(call, PROFILE)
    profile["Tags"] = [tag for tag in profile["Tags"] if tag["Key"] not in call.get("TagKeys")]


@operation("iam", "ListInstanceProfileTags")
def list_instance_profile_tags(call: Call) -> dict[str, Any]:
    """List the tags of a profile."""
    return page(call, "Tags", find(call, PROFILE)["Tags"], sort_by="Key")
