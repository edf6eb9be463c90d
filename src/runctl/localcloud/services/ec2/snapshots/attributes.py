"""Who may make volumes of a snapshot."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import SNAPSHOT
from runctl.localcloud.services.ec2.snapshots.verbs import own_snapshot
from runctl.localcloud.services.ec2.volumes.encryption import is_default_key
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

Permission = dict[str, str]


@operation("ec2", "DescribeSnapshotAttribute")
def describe_snapshot_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of a snapshot of one's own."""
    snapshot = own_snapshot(call, call.get("SnapshotId"))
    answer = {"SnapshotId": snapshot["SnapshotId"]}
    if call.get("Attribute") == "productCodes":
        return {**answer, "ProductCodes": []}
    return {**answer, "CreateVolumePermissions": snapshot.get("_Permissions", [])}


@operation("ec2", "ModifySnapshotAttribute")
def modify_snapshot_attribute(call: Call) -> None:
    """Say who may make volumes of a snapshot."""
    snapshot = _edited(call)
    added, removed = _changes(call)
    if added:
        _check_shareable(call, snapshot)
    kept = [one for one in snapshot.get("_Permissions", []) if one not in removed]
    snapshot["_Permissions"] = kept + [one for one in added if one not in kept]


@operation("ec2", "ResetSnapshotAttribute")
def reset_snapshot_attribute(call: Call) -> None:
    """Let nobody but the owner make volumes of a snapshot."""
    if call.get("Attribute") != "createVolumePermission":
        raise AwsError("InvalidParameterValue", "Only createVolumePermission can be reset.")
    _edited(call)["_Permissions"] = []


def _edited(call: Call) -> Record:
    ident = own_snapshot(call, call.get("SnapshotId"))["SnapshotId"]
    return call.table(SNAPSHOT.kind).edit(ident)


def _changes(call: Call) -> tuple[list[Permission], list[Permission]]:
    change = call.get("CreateVolumePermission", {})
    added, removed = list(change.get("Add", [])), list(change.get("Remove", []))
    users = [{"UserId": one} for one in call.get("UserIds", [])]
    groups = [{"Group": one} for one in call.get("GroupNames", [])]
    (removed if call.get("OperationType") == "remove" else added).extend(users + groups)
    if added and removed:
        raise AwsError(
            "InvalidParameterCombination",
            "Permissions cannot be added and removed in one request.",
        )
    if not (added or removed):
        raise AwsError("InvalidParameterCombination", "No permissions are named.")
    for one in added + removed:
        _check(one)
    return added, removed


def _check(given: Permission) -> None:
    group, user = given.get("Group"), given.get("UserId")
    if group not in (None, "all"):
        raise AwsError("InvalidParameterValue", f'Invalid value "{group}" for group.')
    if user is not None and not (user.isdigit() and len(user) == 12):
        raise AwsError("InvalidUserID.Malformed", f'Invalid user id: "{user}"')


def _check_shareable(call: Call, snapshot: Record) -> None:
    if snapshot["Encrypted"] and is_default_key(call, snapshot.get("KmsKeyId")):
        raise AwsError(
            "OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared"
        )
