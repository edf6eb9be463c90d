"""Volumes over time: creating, attaching, detaching, deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.machines.errors import MachineGone, VolumeBusy
from runctl.localcloud.machines.results import State
from runctl.localcloud.services.ec2.volumes.files import (
    GIB,
    make_volume,
    remove,
    volume_path,
)
from runctl.localcloud.services.ec2.volumes.instances import attach_one
from runctl.localcloud.services.ec2.volumes.records import drop_attachment, map_device
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_BUSY_AGAIN_S = 1.0


@settles("volume")
def settle_volume(cloud: Cloud, region: str, ident: str) -> None:
    """Bring about what the state of a volume says."""
    volume = cloud.records.peek("volume", region, ident)
    if volume is None:
        remove(volume_path(cloud, ident))
    elif volume["State"] == "creating":
        _create(cloud, region, volume)
    elif volume["State"] == "deleting":
        _delete(cloud, region, ident)
    else:
        for attachment in volume["Attachments"]:
            if attachment["State"] == "attaching":
                _attach(cloud, region, volume, attachment)
            elif attachment["State"] in ("detaching", "busy"):
                _detach(cloud, region, volume, attachment)


def _create(cloud: Cloud, region: str, volume: Record) -> None:
    ident = volume["VolumeId"]
    rest_s = volume["CreateTime"] + cloud.pace.volume_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, "volume", region, ident)
        return
    make_volume(cloud, ident, volume["SnapshotId"], volume["Size"] * GIB)
    with cloud.records.transaction() as transaction:
        table = transaction.table("volume", region)
        if ident in table and table.edit(ident)["State"] == "creating":
            table.edit(ident)["State"] = "available"


def _delete(cloud: Cloud, region: str, ident: str) -> None:
    remove(volume_path(cloud, ident))
    with cloud.records.transaction() as transaction:
        transaction.table("volume", region).delete(ident)
    cloud.jobs.forget(f"volume:{ident}")


def _attach(cloud: Cloud, region: str, volume: Record, attachment: Record) -> None:
    ident, instance_id = volume["VolumeId"], attachment["InstanceId"]
    machine = cloud.tier.find(instance_id)
    if machine is not None and machine.state == State.RUNNING:
        attach_one(cloud, volume, instance_id, attachment["Device"])
    with cloud.records.transaction() as transaction:
        _mark(transaction.table("volume", region).edit(ident), instance_id, "attached")
        instances = transaction.table("instance", region)
        if instance_id in instances:
            attached = {**attachment, "State": "attached"}
            map_device(instances.edit(instance_id), volume, attached)


def _mark(volume: Record, instance_id: str, state: str) -> None:
    for one in volume["Attachments"]:
        if one["InstanceId"] == instance_id:
            one["State"] = state


def _detach(cloud: Cloud, region: str, volume: Record, attachment: Record) -> None:
    """Take a volume out of a machine; while it is mounted there it stays ``busy``, as on AWS."""
    ident, instance_id = volume["VolumeId"], attachment["InstanceId"]
    try:
        _take_out(cloud, ident, instance_id, is_forced=bool(attachment.get("_IsForced")))
    except VolumeBusy:
        with cloud.records.transaction() as transaction:
            table = transaction.table("volume", region)
            if ident in table:
                _mark(table.edit(ident), instance_id, "busy")
        cloud.settle_later(_BUSY_AGAIN_S, "volume", region, ident)
        return
    with cloud.records.transaction() as transaction:
        volumes = transaction.table("volume", region)
        drop_attachment(volumes, transaction.table("instance", region), ident, instance_id)


def _take_out(cloud: Cloud, ident: str, instance_id: str, *, is_forced: bool) -> None:
    machine = cloud.tier.find(instance_id)
    if machine is None or machine.state != State.RUNNING:
        return
    try:
        machine.detach(ident, is_forced=is_forced)
    except MachineGone:
        return  # with the machine its devices have gone
