"""Volumes in machines: put in, taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.machines.errors import MachineGone, VolumeBusy
from runctl.localcloud.machines.results import Feature, State
from runctl.localcloud.machines.spec import Volume
from runctl.localcloud.services.ec2.volumes.files import GIB, make_volume
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


def fill(cloud: Cloud, region: str, volume: Record) -> str:
    """Make the file of a volume, unless it is there; return its path.

    To be called by whoever holds the volume's lock. Raises ``OSError``, as on a full disk.
    """
    ident = volume["VolumeId"]
    path = make_volume(cloud, ident, volume["SnapshotId"], volume["Size"] * GIB)
    if volume.get("_IsEmpty"):
        with cloud.records.transaction() as transaction:
            table = transaction.table("volume", region)
            if ident in table:
                table.edit(ident)["_IsEmpty"] = False
    return str(path.absolute())


def plug(cloud: Cloud, region: str, volume: Record, attachment: Record) -> None:
    """Put a volume into a machine that runs; raise ``MachineError``, or ``OSError``."""
    path = fill(cloud, region, volume)
    machine = cloud.tier.find(attachment["InstanceId"])
    if machine is None or machine.state != State.RUNNING:
        return  # it gets its volumes when it starts
    if Feature.VOLUMES not in cloud.tier.report.features:
        return
    try:
        machine.attach(Volume(volume["VolumeId"], path, attachment["Device"]))
    except MachineGone:
        if machine.state == State.RUNNING:
            raise


def unplug(cloud: Cloud, volume_id: str, instance_id: str, *, is_forced: bool) -> None:
    """Take a volume out of a machine; raise ``VolumeBusy`` while it is used there."""
    machine = cloud.tier.find(instance_id)
    if machine is None or machine.state != State.RUNNING:
        return
    if Feature.VOLUMES not in cloud.tier.report.features:
        return
    try:
        machine.detach(volume_id, is_forced=is_forced)
    except MachineGone as error:
        if machine.state == State.RUNNING:  # it hangs, and may still write
            raise VolumeBusy(error.step, error.words) from error
