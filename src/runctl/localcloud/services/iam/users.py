"""Users and their access keys: so that somebody with few rights can be rehearsed."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.identity import KIND as CREDENTIAL
from runctl.localcloud.identity import new_credentials
from runctl.localcloud.services.iam.entities import (
    USER,
    begin,
    conflict,
    edit,
    find,
    limit,
    merge_tags,
    missing,
)
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.services.iam.roles import boundary_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MOST_KEYS = 2


@operation("iam", "CreateUser")
def create_user(call: Call) -> dict[str, Any]:
    """Make a user, who may do nothing yet and has no key."""
    user = {**begin(call, USER), **boundary_of(call), "_Policies": {}, "_Attached": []}
    return {"User": call.table("user", "").put(user["UserName"], user)}


@operation("iam", "GetUser")
def get_user(call: Call) -> dict[str, Any]:
    """Return a user: the one who calls, if none is named."""
    if call.get("UserName") is not None:
        return {"User": find(call, USER)}
    if call.caller.user is not None:
        return {"User": find(call, USER, call.caller.user)}
    if not call.caller.is_root:
        raise AwsError(
            "ValidationError", "Must specify userName when calling with non-User credentials"
        )
    account = call.cloud.account
    root = {"UserId": account, "Arn": call.caller.arn, "CreateDate": 0, "Path": "/"}
    return {"User": {**root, "UserName": ""}}


@operation("iam", "ListUsers")
def list_users(call: Call) -> dict[str, Any]:
    """List users."""
    prefix = call.get("PathPrefix", "/")
    everyone = call.table("user", "").values()
    found = [{**one, "Tags": None} for one in everyone if one["Path"].startswith(prefix)]
    return page(call, "Users", found, sort_by="UserName")


@operation("iam", "DeleteUser")
def delete_user(call: Call) -> None:
    """Delete a user who has no keys and no policies."""
    user = find(call, USER)
    if _keys(call, user["UserName"]):
        raise conflict("Cannot delete entity, must delete access keys first.")
    if user["_Attached"]:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if user["_Policies"]:
        raise conflict("Cannot delete entity, must delete policies first.")
    call.table("user", "").delete(user["UserName"])


@operation("iam", "TagUser")
def tag_user(call: Call) -> None:
    """Put tags on a user."""
    user = edit(call, USER)
    user["Tags"] = merge_tags(user["Tags"], call.get("Tags"))


@operation("iam", "UntagUser")
def untag_user(call: Call) -> None:
    """Take tags off a user."""
    user = edit(call, USER)
    user["Tags"] = [tag for tag in user["Tags"] if tag["Key"] not in call.get("TagKeys")]


@operation("iam", "ListUserTags")
def list_user_tags(call: Call) -> dict[str, Any]:
    """List the tags of a user."""
    return page(call, "Tags", find(call, USER)["Tags"], sort_by="Key")


@operation("iam", "PutUserPermissionsBoundary")
def put_user_permissions_boundary(call: Call) -> None:
    """Set the boundary of a user."""
    edit(call, USER).update(boundary_of(call))


@operation("iam", "DeleteUserPermissionsBoundary")
def delete_user_permissions_boundary(call: Call) -> None:
    """Take the boundary of a user away."""
    edit(call, USER).pop("PermissionsBoundary", None)


# ---------------------------------------------------------------- keys


@operation("iam", "CreateAccessKey")
def create_access_key(call: Call) -> dict[str, Any]:
    """Make a key; only this answer tells its secret."""
    user = _user(call)
    if len(_keys(call, user["UserName"])) >= _MOST_KEYS:
        raise limit(f"Cannot exceed quota for AccessKeysPerUser: {_MOST_KEYS}")
    made = new_credentials("AKIA", user["Arn"], user=user["UserName"], user_id=user["UserId"])
    key = {**made, "UserName": user["UserName"], "Status": "Active"}
    key["CreateDate"] = call.cloud.clock()
    return {"AccessKey": call.table(CREDENTIAL, "").put(key["AccessKeyId"], key)}


@operation("iam", "ListAccessKeys")
def list_access_keys(call: Call) -> dict[str, Any]:
    """List the keys of a user."""
    keys = _keys(call, _user(call)["UserName"])
    return page(call, "AccessKeyMetadata", keys, sort_by="AccessKeyId")


@operation("iam", "UpdateAccessKey")
def update_access_key(call: Call) -> None:
    """Switch a key on or off."""
    key = call.table(CREDENTIAL, "").edit(_key(call)["AccessKeyId"])
    key["Status"] = call.get("Status")


@operation("iam", "DeleteAccessKey")
def delete_access_key(call: Call) -> None:
    """Delete a key."""
    call.table(CREDENTIAL, "").delete(_key(call)["AccessKeyId"])


@operation("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(call: Call) -> dict[str, Any]:
    """Say whose a key is; when it was used is not recorded."""
    key = call.table(CREDENTIAL, "").get(call.get("AccessKeyId"))
    if key is None or not key.get("User"):
        raise missing("The Access Key with id {} cannot be found.", call.get("AccessKeyId"))
    never = {"ServiceName": "N/A", "Region": "N/A"}
    return {"UserName": key["User"], "AccessKeyLastUsed": never}


def _user(call: Call) -> Record:
    if call.get("UserName") is None and call.caller.user is not None:
        return find(call, USER, call.caller.user)
    if call.get("UserName") is None:
        raise AwsError(
            "ValidationError", "Must specify userName when calling with non-User credentials"
        )
    return find(call, USER)


def _keys(call: Call, user: str) -> list[Record]:
    """Return a user's own keys; those of sessions are not counted."""
    known = call.table(CREDENTIAL, "").values()
    return [one for one in known if one.get("User") == user and one["Expiration"] is None]


def _key(call: Call) -> Record:
    wanted = call.get("AccessKeyId")
    for key in _keys(call, _user(call)["UserName"]):
        if key["AccessKeyId"] == wanted:
            return key
    raise missing("The Access Key with id {} cannot be found.", wanted)
