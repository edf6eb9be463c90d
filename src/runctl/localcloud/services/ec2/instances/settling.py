"""Instances over time: what the records say is under way is brought about in the machines.

Everything here may be killed between any two statements, and is called again at the next start.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.faults.lasting import end_with
from runctl.localcloud.faults.orders import MACHINE_EFFECTS
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.results import State
from runctl.localcloud.services.ec2.instances.console import forget_console, keep_console
from runctl.localcloud.services.ec2.instances.ending import end_instances, stop_instance
from runctl.localcloud.services.ec2.instances.machine import machine_spec
from runctl.localcloud.services.ec2.instances.states import give_reason, set_state, state_of
from runctl.localcloud.services.ec2.network import release_place
from runctl.localcloud.services.ec2.spot.following import follow_end, follow_stop
from runctl.localcloud.services.ec2.spot.interruption import carry_out
from runctl.localcloud.services.ec2.spot.records import KIND as SPOT_REQUEST
from runctl.localcloud.services.ec2.volumes import attach_all, release_volumes
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LOG = logging.getLogger(__name__)


@settles("instance")
def settle_instance(cloud: Cloud, region: str, ident: str) -> None:
    """Bring about what the state of an instance says."""
    instance = _read(cloud, region, ident)
    if instance is not None:
        _STEPS[state_of(instance)](cloud, region, instance)


def _read(cloud: Cloud, region: str, ident: str) -> Record | None:
    with cloud.records.transaction() as transaction:
        return transaction.table("instance", region).get(ident)


# ---------------------------------------------------------------- pending


def _start(cloud: Cloud, region: str, instance: Record) -> None:
    ident = instance["InstanceId"]
    try:
        cloud.tier.launch(machine_spec(cloud, region, instance))
        attach_all(cloud, region, ident)
    except MachineError as error:
        _LOG.exception("%s did not start", ident)
        _give_up(cloud, region, ident, str(error))
        return
    cloud.network.connect(ident)
    rest_s = instance["_PendingSince"] + cloud.pace.pending_s - cloud.clock()
    if rest_s > 0:
        cloud.jobs.later(rest_s, lambda: _run(cloud, region, ident))
    else:
        _run(cloud, region, ident)


def _run(cloud: Cloud, region: str, ident: str) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table("instance", region)
        if state_of(table.get(ident) or {"State": {"Name": ""}}) != "pending":
            return  # ended while it was starting: whoever ended it has asked for the rest
        instance = table.edit(ident)
        set_state(instance, "running")
        instance |= {"_RunningSince": cloud.clock(), "_HasRun": True}
    cloud.journal.note("running", instance=ident, region=region)
    # It may have switched itself off while it was pending, when nobody was told.
    cloud.settle_later(0.0, "instance", region, ident)


def _give_up(cloud: Cloud, region: str, ident: str, words: str) -> None:
    """End what was never there; put back what was only to be started again: it has a disk."""
    code = "Server.InternalError"
    message = f"{code}: Internal error on launch: {words}"
    with cloud.records.transaction() as transaction:
        instance = transaction.table("instance", region).edit(ident)
        if instance.get("_HasRun") and state_of(instance) == "pending":
            stop_instance(instance, code, message, code)
        else:
            end_instances(transaction, region, [ident], reason_code=code, reason_message=message)
    cloud.journal.note("launch-failed", instance=ident, region=region, reason=words)
    cloud.settle_later(0.0, "instance", region, ident)


# ---------------------------------------------------------------- running


def _check(cloud: Cloud, region: str, instance: Record) -> None:
    """See whether the machine is still there: the cloud may have been down for a while."""
    if carry_out(cloud, region, instance):
        cloud.settle_later(0.0, "instance", region, instance["InstanceId"])
        return
    ident = instance["InstanceId"]
    machine = cloud.tier.find(ident)
    if machine is not None and machine.state == State.RUNNING:
        cloud.network.connect(ident)
        return
    end = machine.end if machine is not None else None
    lose(cloud, region, ident, end.reason if end is not None else "lost")


def lose(cloud: Cloud, region: str, ident: str, reason: str = "lost") -> None:
    """Record that a running machine is gone: switched off from inside, or lost."""
    with cloud.records.transaction() as transaction:
        table = transaction.table("instance", region)
        if state_of(table.get(ident) or {"State": {"Name": ""}}) != "running":
            return
        _record_end(table.edit(ident), reason)
    cloud.journal.note("machine-ended", instance=ident, region=region, reason=reason)
    cloud.settle_later(0.0, "instance", region, ident)


def _record_end(instance: Record, reason: str) -> None:
    if reason != "poweroff":
        words = "Server.InternalError: Internal error: the machine is gone"
        stop_instance(instance, "Server.InternalError", words, "Server.InternalError")
        return
    code = "Client.InstanceInitiatedShutdown"
    words = f"{code}: Instance initiated shutdown"
    if instance["_Attributes"]["InstanceInitiatedShutdownBehavior"] == "terminate":
        set_state(instance, "shutting-down")
        give_reason(instance, code, words, "")
    else:
        stop_instance(instance, code, words, "")


# ---------------------------------------------------------------- stopping, shutting-down


def _stop(cloud: Cloud, region: str, instance: Record) -> None:
    ident = instance["InstanceId"]
    cloud.network.disconnect(ident)
    machine = cloud.tier.find(ident)
    if machine is not None:
        machine.stop(0.0 if instance.get("_IsForced") else cloud.pace.grace_s)
    end_with(cloud, ident, "network", "freeze")  # a full disk stays full
    with cloud.records.transaction() as transaction:
        table = transaction.table("instance", region)
        if state_of(table.get(ident) or {"State": {"Name": ""}}) != "stopping":
            return
        stopped = table.edit(ident)
        set_state(stopped, "stopped")
        stopped |= {"_RunningSince": None, "_IsForced": False}
        request = follow_stop(transaction, region, stopped, cloud.clock())
    if request is not None:
        cloud.settle_later(cloud.pace.spot_again_s, SPOT_REQUEST, region, request)
    cloud.journal.note("stopped", instance=ident, region=region)


def _end(cloud: Cloud, region: str, instance: Record) -> None:
    ident = instance["InstanceId"]
    cloud.network.disconnect(ident)
    keep_console(cloud, ident)
    cloud.tier.destroy(ident)
    end_with(cloud, ident, *MACHINE_EFFECTS)
    with cloud.records.transaction() as transaction:
        ended = transaction.table("instance", region).edit(ident)
        set_state(ended, "terminated")
        ended |= {"_RunningSince": None, "_TerminatedAt": cloud.clock()}
        request = follow_end(transaction, region, ended, cloud.clock())
        volumes = release_volumes(transaction, region, ident, cloud.clock())
        release_place(transaction, region, ident)
        for name in ("PublicIpAddress", "PrivateIpAddress", "SubnetId", "VpcId"):
            ended.pop(name, None)
        ended |= {"NetworkInterfaces": [], "SecurityGroups": [], "BlockDeviceMappings": []}
        ended |= {"PublicDnsName": "", "PrivateDnsName": ""}
    for volume in volumes:
        cloud.settle_later(0.0, "volume", region, volume)
    if request is not None:
        cloud.settle_later(0.0, SPOT_REQUEST, region, request)
    cloud.journal.note("terminated", instance=ident, region=region)
    cloud.jobs.forget(f"instance:{ident}")
    cloud.settle_later(cloud.pace.keep_terminated_s, "instance", region, ident)


def _forget(cloud: Cloud, region: str, instance: Record) -> None:
    """Describe a terminated instance for an hour, as AWS does, and then no more."""
    rest_s = instance["_TerminatedAt"] + cloud.pace.keep_terminated_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, "instance", region, instance["InstanceId"])
        return
    with cloud.records.transaction() as transaction:
        transaction.table("instance", region).delete(instance["InstanceId"])
    forget_console(cloud, instance["InstanceId"])


def _rest(cloud: Cloud, region: str, instance: Record) -> None:
    """A stopped instance stays as it is."""


_STEPS = {
    "pending": _start,
    "running": _check,
    "stopping": _stop,
    "stopped": _rest,
    "shutting-down": _end,
    "terminated": _forget,
}
