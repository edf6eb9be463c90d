"""Start, stop, reboot, terminate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, find_all
from runctl.localcloud.services.ec2.instances.ending import ENDED, end_instances, stop_instance
from runctl.localcloud.services.ec2.instances.states import (
    begin_again,
    change_of,
    check_state,
    requested_at,
    state_of,
)
from runctl.localcloud.services.ec2.spot.following import (
    check_startable,
    check_stoppable,
    follow_start,
    follow_stopping,
)
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


@operation("ec2", "TerminateInstances")
def terminate_instances(call: Call) -> dict[str, Any]:
    """End instances; again, and of those that have ended, is harmless. All of them, or none."""
    found = find_all(call, INSTANCE, call.get("InstanceIds", []))
    for instance in found:
        _check_protection(instance, "DisableApiTermination", "terminated")
    before = {instance["InstanceId"]: state_of(instance) for instance in found}
    words = "Client.UserInitiatedShutdown: User initiated shutdown"
    end_instances(
        call.transaction,
        call.region,
        before,
        reason_code="Client.UserInitiatedShutdown",
        reason_message=words,
        transition=requested_at(call.cloud.clock()),
    )
    for ident in before:
        call.settle("instance", ident)
    return {"TerminatingInstances": _changes(call, before)}


@operation("ec2", "StopInstances")
def stop_instances(call: Call) -> dict[str, Any]:
    """Stop instances; one that is stopped already stays so."""
    found = find_all(call, INSTANCE, call.get("InstanceIds", []))
    for instance in found:
        check_state(instance, "running", "stopping", "stopped", "pending", verb="stopped")
        _check_protection(instance, "DisableApiStop", "stopped")
        check_stoppable(call.transaction, call.region, instance)
        if call.get("Hibernate"):
            raise _not_hibernating(instance)
    before = {instance["InstanceId"]: state_of(instance) for instance in found}
    for ident, state in before.items():
        if state in ("running", "pending"):
            instance = call.table("instance").edit(ident)
            instance["_IsForced"] = bool(call.get("Force"))
            words = "Client.UserInitiatedShutdown: User initiated shutdown"
            when = requested_at(call.cloud.clock())
            stop_instance(instance, "Client.UserInitiatedShutdown", words, when)
            follow_stopping(call.transaction, call.region, instance, call.cloud.clock())
        call.settle("instance", ident)
    return {"StoppingInstances": _changes(call, before)}


def _not_hibernating(instance: Record) -> AwsError:
    return AwsError(
        "UnsupportedHibernationConfiguration",
        f"The instance '{instance['InstanceId']}' is not enabled for hibernation.",
    )


@operation("ec2", "StartInstances")
def start_instances(call: Call) -> dict[str, Any]:
    """Start stopped instances; one that runs already goes on."""
    found = find_all(call, INSTANCE, call.get("InstanceIds", []))
    for instance in found:
        check_state(instance, "stopped", "pending", "running", verb="started")
        if state_of(instance) == "stopped":
            check_startable(call.transaction, call.region, instance)
    before = {instance["InstanceId"]: state_of(instance) for instance in found}
    for ident, state in before.items():
        if state == "stopped":
            _begin_again(call, call.table("instance").edit(ident))
        call.settle("instance", ident)
    return {"StartingInstances": _changes(call, before)}


def _begin_again(call: Call, instance: Record) -> None:
    fault = call.cloud.faults.capacity(
        call.region,
        instance["Placement"]["AvailabilityZone"],
        instance["InstanceType"],
        is_spot=instance.get("InstanceLifecycle") == "spot",
    )
    if fault is not None:
        raise fault
    begin_again(instance, call.cloud.clock())
    follow_start(call.transaction, call.region, instance, call.cloud.clock())


@operation("ec2", "RebootInstances")
def reboot_instances(call: Call) -> None:
    """Reboot running instances; the state stays, the processes do not."""
    for instance in find_all(call, INSTANCE, call.get("InstanceIds", [])):
        check_state(instance, "running", "pending", verb="rebooted")
        call.then(partial(_reboot, call.cloud, instance["InstanceId"]))


def _reboot(cloud: Cloud, ident: str) -> None:
    machine = cloud.tier.find(ident)
    if machine is not None:
        machine.reboot(cloud.pace.grace_s)


def _changes(call: Call, before: dict[str, str]) -> list[Record]:
    table = call.table("instance")
    return [
        change_of(instance, state)
        for ident, state in before.items()
        if (instance := table.get(ident)) is not None
    ]


def _check_protection(instance: Record, attribute: str, verb: str) -> None:
    attributes = instance.get("_Attributes", {})
    if attributes.get(attribute) and state_of(instance) not in ENDED:
        raise AwsError(
            "OperationNotPermitted",
            f"The instance '{instance['InstanceId']}' may not be {verb}. Modify its "
            f"'{attribute[:1].lower() + attribute[1:]}' instance attribute and try again.",
        )
