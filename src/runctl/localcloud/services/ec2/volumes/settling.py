"""Volumes over time: creating, attaching, detaching, deleting."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.machines.errors import MachineError, VolumeBusy
from runctl.localcloud.services.ec2.snapshots.records import is_being_copied
from runctl.localcloud.services.ec2.volumes.changing import KIND as MODIFICATION
from runctl.localcloud.services.ec2.volumes.files import remove, volume_path
from runctl.localcloud.services.ec2.volumes.instances import is_root, mark_attached
from runctl.localcloud.services.ec2.volumes.machine import fill, plug, unplug
from runctl.localcloud.services.ec2.volumes.records import attachment_to, drop_attachment
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LOG = logging.getLogger(__name__)
_AGAIN_S = 1.0


@settles("volume")
def settle_volume(cloud: Cloud, region: str, ident: str) -> None:
    """Bring about what the state of a volume says."""
    volume = cloud.records.peek("volume", region, ident)
    if volume is None:
        return
    if volume["State"] == "deleting":
        _delete(cloud, region, volume)
        return
    if volume.get("_IsEmpty") and not _fill(cloud, region, volume):
        return
    if volume["State"] == "creating":
        _finish(cloud, region, volume)
    for attachment in volume["Attachments"]:
        if attachment["State"] == "attaching":
            _attach(cloud, region, volume, attachment)
        elif attachment["State"] in ("detaching", "busy"):
            _detach(cloud, region, volume, attachment)


def _again(cloud: Cloud, region: str, ident: str, delay_s: float = _AGAIN_S) -> None:
    cloud.settle_later(delay_s, "volume", region, ident)


def _fill(cloud: Cloud, region: str, volume: Record) -> bool:
    try:
        fill(cloud, region, volume)
    except OSError as fault:  # such as a full disk
        _LOG.exception("%s cannot be made", volume["VolumeId"])
        remove(volume_path(cloud, volume["VolumeId"]))
        if volume["State"] == "creating":
            _set_state(cloud, region, volume["VolumeId"], "error")
        cloud.journal.note("volume-failed", volume=volume["VolumeId"], reason=str(fault))
        return False
    return True


def _finish(cloud: Cloud, region: str, volume: Record) -> None:
    rest_s = volume["CreateTime"] + cloud.pace.volume_s - cloud.clock()
    if rest_s > 0:
        _again(cloud, region, volume["VolumeId"], rest_s)
    else:
        _set_state(cloud, region, volume["VolumeId"], "available")


def _set_state(cloud: Cloud, region: str, ident: str, state: str) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table("volume", region)
        if ident in table and table.edit(ident)["State"] == "creating":
            table.edit(ident).update({"State": state, "_IsEmpty": False})


def _delete(cloud: Cloud, region: str, volume: Record) -> None:
    ident = volume["VolumeId"]
    rest_s = volume.get("_DeletingSince", 0.0) + cloud.pace.volume_s - cloud.clock()
    if rest_s > 0 or is_being_copied(cloud, region, ident):
        _again(cloud, region, ident, max(rest_s, cloud.pace.volume_s))
        return
    remove(volume_path(cloud, ident))
    with cloud.records.transaction() as transaction:
        for kind in ("volume", MODIFICATION):
            transaction.table(kind, region).delete(ident)
    for kind in ("volume", MODIFICATION):
        cloud.jobs.forget(f"{kind}:{ident}")


def _attach(cloud: Cloud, region: str, volume: Record, attachment: Record) -> None:
    """Show it in the machine; a machine that has yet to start gets it then."""
    ident, instance_id = volume["VolumeId"], attachment["InstanceId"]
    instance = cloud.records.peek("instance", region, instance_id)
    if instance is None or instance["State"]["Name"] == "pending":
        return
    rest_s = attachment["AttachTime"] + cloud.pace.volume_s - cloud.clock()
    try:
        if not is_root(instance, attachment):
            plug(cloud, region, volume, attachment)
    except (MachineError, OSError):
        _LOG.exception("%s cannot be attached to %s yet", ident, instance_id)
        rest_s = _AGAIN_S
    if rest_s > 0:
        _again(cloud, region, ident, rest_s)
        return
    with cloud.records.transaction() as transaction:
        mark_attached(transaction, region, ident, instance_id)


def _detach(cloud: Cloud, region: str, volume: Record, attachment: Record) -> None:
    """Take it out of the machine; while it is mounted there it stays ``busy``, as on AWS."""
    ident, instance_id = volume["VolumeId"], attachment["InstanceId"]
    try:
        unplug(cloud, ident, instance_id, is_forced=bool(attachment.get("_IsForced")))
    except VolumeBusy:
        _mark_busy(cloud, region, ident, instance_id)
        _again(cloud, region, ident)
        return
    rest_s = attachment.get("_DetachingSince", 0.0) + cloud.pace.volume_s - cloud.clock()
    if rest_s > 0:
        _again(cloud, region, ident, rest_s)
        return
    with cloud.records.transaction() as transaction:
        volumes = transaction.table("volume", region)
        drop_attachment(volumes, transaction.table("instance", region), ident, instance_id)


def _mark_busy(cloud: Cloud, region: str, ident: str, instance_id: str) -> None:
    known = cloud.records.peek("volume", region, ident)
    found = attachment_to(known, instance_id) if known else None
    if found is None or found["State"] == "busy":
        return
    with cloud.records.transaction() as transaction:
        attachment = attachment_to(transaction.table("volume", region).edit(ident), instance_id)
        if attachment is not None:
            attachment["State"] = "busy"
