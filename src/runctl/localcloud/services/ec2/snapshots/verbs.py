"""Create, copy, share and delete snapshots."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, SNAPSHOT, VOLUME, edit, find, new_id
from runctl.localcloud.services.ec2.tags import merge, tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


@operation("ec2", "CreateSnapshot")
def create_snapshot(call: Call) -> Record:
    """Copy what a volume holds now; writing to it may go on at once."""
    volume = find(call, VOLUME, call.get("VolumeId"))
    if volume["State"] not in ("available", "in-use"):
        raise AwsError(
            "IncorrectState", f"The volume '{volume['VolumeId']}' is not ready for a snapshot."
        )
    return _add(call, volume, tags_for(call, SNAPSHOT))


@operation("ec2", "CreateSnapshots")
def create_snapshots(call: Call) -> dict[str, Any]:
    """Copy what all volumes of an instance hold."""
    wanted = call.get("InstanceSpecification")
    instance = find(call, INSTANCE, wanted.get("InstanceId"))
    left_out = set(wanted.get("ExcludeDataVolumeIds", []))
    made = []
    for mapping in instance["BlockDeviceMappings"]:
        is_root = mapping["DeviceName"] == instance["RootDeviceName"]
        ident = mapping["Ebs"]["VolumeId"]
        if ident in left_out or (is_root and wanted.get("ExcludeBootVolume")):
            continue
        volume = find(call, VOLUME, ident)
        tags = tags_for(call, SNAPSHOT)
        if call.get("CopyTagsFromSource") == "volume":
            tags = merge(volume["Tags"], tags)
        made.append(_add(call, volume, tags))
    return {"Snapshots": made}


def _add(call: Call, volume: Record, tags: list[dict[str, str]]) -> Record:
    ident = new_id(SNAPSHOT)
    record = {
        "SnapshotId": ident,
        "VolumeId": volume["VolumeId"],
        "VolumeSize": volume["Size"],
        "OwnerId": call.cloud.account,
        "State": "pending",
        "Progress": "0%",
        "StartTime": call.cloud.clock(),
        "Description": call.get("Description", ""),
        "Encrypted": volume["Encrypted"],
        "KmsKeyId": volume.get("KmsKeyId"),
        "StorageTier": "standard",
        "Tags": tags,
        "_Permissions": [],
        "_Source": None,
    }
    call.table("snapshot").put(ident, record)
    call.settle("snapshot", ident)
    return record


@operation("ec2", "CopySnapshot")
def copy_snapshot(call: Call) -> dict[str, Any]:
    """Copy a snapshot, also from another region."""
    ident, region = call.get("SourceSnapshotId"), call.get("SourceRegion")
    source = call.table("snapshot", region).get(ident)
    if source is None:
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{ident}' does not exist.")
    if source["State"] != "completed":
        raise AwsError("IncorrectState", f"The snapshot '{ident}' is not completed.")
    copy_id = new_id(SNAPSHOT)
    copy = {
        **source,
        "SnapshotId": copy_id,
        "VolumeId": "vol-ffffffff",
        "State": "pending",
        "Progress": "0%",
        "StartTime": call.cloud.clock(),
        "Description": call.get("Description", f"[Copied {ident} from {region}]"),
        "Encrypted": bool(call.get("Encrypted")) or source["Encrypted"],
        "Tags": tags_for(call, SNAPSHOT),
        "_Permissions": [],
        "_Source": ident,
    }
    call.table("snapshot").put(copy_id, copy)
    call.settle("snapshot", copy_id)
    return {"SnapshotId": copy_id, "Tags": copy["Tags"]}


@operation("ec2", "DeleteSnapshot")
def delete_snapshot(call: Call) -> None:
    """Delete a snapshot that no image is made of."""
    ident = find(call, SNAPSHOT, call.get("SnapshotId"))["SnapshotId"]
    for image in call.table("image").values():
        used = [one.get("Ebs", {}).get("SnapshotId") for one in image["BlockDeviceMappings"]]
        if ident in used:
            raise AwsError(
                "InvalidSnapshot.InUse",
                f"The snapshot {ident} is currently in use by {image['ImageId']}",
            )
    call.table("snapshot").delete(ident)
    call.settle("snapshot", ident)


@operation("ec2", "ModifySnapshotAttribute")
def modify_snapshot_attribute(call: Call) -> None:
    """Say who may make volumes of a snapshot."""
    snapshot = edit(call, SNAPSHOT, call.get("SnapshotId"))
    change = call.get("CreateVolumePermission", {})
    kept = [one for one in snapshot["_Permissions"] if one not in change.get("Remove", [])]
    snapshot["_Permissions"] = kept + [one for one in change.get("Add", []) if one not in kept]


@operation(
    "ec2",
    "GetEbsEncryptionByDefault",
    "EnableEbsEncryptionByDefault",
    "DisableEbsEncryptionByDefault",
)
def encryption_by_default(call: Call) -> dict[str, Any]:
    """Read or set whether new volumes are encrypted without being asked to."""
    table = call.table("account-setting")
    if not call.operation.startswith("Get"):
        is_on = call.operation.startswith("Enable")
        table.put("ebs-encryption", {"Value": is_on})
    found = table.get("ebs-encryption") or {"Value": False}
    return {"EbsEncryptionByDefault": found["Value"]}


@operation("ec2", "GetEbsDefaultKmsKeyId")
def get_ebs_default_kms_key_id(call: Call) -> dict[str, Any]:
    """Return the key that volumes are encrypted with unless another is named."""
    del call
    return {"KmsKeyId": "alias/aws/ebs"}
