"""The volumes of instances: attached when their machines start, released after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.services.ec2.volumes.machine import plug
from runctl.localcloud.services.ec2.volumes.records import (
    attachment_to,
    drop_attachment,
    map_device,
    volumes_of,
)
from runctl.localcloud.state.records import Record, Transaction

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


def is_root(instance: Record | None, attachment: Record) -> bool:
    """Whether it is the root disk, which the machine has by itself."""
    return instance is not None and attachment["Device"] == instance["RootDeviceName"]


def release_volumes(
    transaction: Transaction, region: str, instance_id: str, now: float = 0.0
) -> list[str]:
    """Delete or detach the volumes of an instance that has ended; return those to be settled."""
    volumes = transaction.table("volume", region)
    instances = transaction.table("instance", region)
    touched = []
    for ident in volumes_of(instances.get(instance_id) or {"BlockDeviceMappings": []}):
        volume = volumes.get(ident)
        attachment = attachment_to(volume, instance_id) if volume else None
        drop_attachment(volumes, instances, ident, instance_id)
        if attachment is None:
            continue
        if attachment["DeleteOnTermination"] and not volumes.edit(ident)["Attachments"]:
            volumes.edit(ident).update({"State": "deleting", "_DeletingSince": now})
            touched.append(ident)
    return touched


def attach_all(cloud: Cloud, region: str, instance_id: str) -> None:
    """Attach to a machine that has started all that its records say is attached.

    Raises ``MachineError`` where the machine cannot have one of them.
    """
    instance = cloud.records.peek("instance", region, instance_id)
    if instance is None:
        return
    for ident in volumes_of(instance):
        with cloud.jobs.alone(f"volume:{ident}"):
            _attach(cloud, region, instance, ident)
    with cloud.records.transaction() as transaction:
        for ident in volumes_of(instance):
            mark_attached(transaction, region, ident, instance_id)


def _attach(cloud: Cloud, region: str, instance: Record, ident: str) -> None:
    volume = cloud.records.peek("volume", region, ident)
    attachment = attachment_to(volume, instance["InstanceId"]) if volume else None
    if volume is None or attachment is None or is_root(instance, attachment):
        return
    if attachment["State"] not in ("attaching", "attached"):
        return
    try:
        plug(cloud, region, volume, attachment)
    except OSError as fault:
        raise MachineError("volume", f"{ident}: {fault}") from fault


def mark_attached(transaction: Transaction, region: str, ident: str, instance_id: str) -> None:
    """Say that a volume which was being attached is attached."""
    volumes = transaction.table("volume", region)
    instances = transaction.table("instance", region)
    known = volumes.get(ident)
    found = attachment_to(known, instance_id) if known else None
    if found is None or found["State"] != "attaching":
        return
    volume = volumes.edit(ident)
    attachment = attachment_to(volume, instance_id)
    assert attachment is not None  # noqa: S101 - it was found in what this is a copy of
    attachment["State"] = "attached"
    if instance_id in instances:
        map_device(instances.edit(instance_id), volume, attachment)
