"""The form of a fleet, the instances that are its own, and what it has done."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import FLEET, new_id
from runctl.localcloud.services.ec2.instances.ending import ENDED, end_instances
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

KIND = FLEET.kind
ALIVE = ("pending", "running")
_MOST_EVENTS = 200
_CHANGES = {
    ("active", "modifying"): "modify_in_progress",
    ("submitted", "modifying"): "modify_in_progress",
    ("modifying", "active"): "modify_succeeded",
}
"""What the history calls a change of state, where that is not the new state's name."""


def fleet_record(call: Call) -> Record:
    """Return a fleet that has been asked for."""
    specifications = call.get("TagSpecifications", [])
    return {
        "FleetId": new_id(FLEET),
        "FleetState": "submitted",
        "ActivityStatus": "pending_fulfillment",
        "CreateTime": call.cloud.clock(),
        "Type": call.get("Type", "maintain"),
        "ClientToken": call.get("ClientToken"),
        "Context": call.get("Context"),
        "ExcessCapacityTerminationPolicy": call.get(
            "ExcessCapacityTerminationPolicy", "termination"
        ),
        "TerminateInstancesWithExpiration": bool(call.get("TerminateInstancesWithExpiration")),
        "ReplaceUnhealthyInstances": bool(call.get("ReplaceUnhealthyInstances")),
        "ValidFrom": call.get("ValidFrom"),
        "ValidUntil": call.get("ValidUntil"),
        "LaunchTemplateConfigs": call.get("LaunchTemplateConfigs"),
        "TargetCapacitySpecification": _target(call.get("TargetCapacitySpecification")),
        "SpotOptions": {
            "AllocationStrategy": "lowest-price",
            "InstanceInterruptionBehavior": "terminate",
            **call.get("SpotOptions", {}),
        },
        "OnDemandOptions": {
            "AllocationStrategy": "lowest-price",
            **call.get("OnDemandOptions", {}),
        },
        "FulfilledCapacity": 0.0,
        "FulfilledOnDemandCapacity": 0.0,
        "Errors": [],
        "Tags": tags_for(call, FLEET),
        "_TagSpecifications": [one for one in specifications if one.get("ResourceType") != KIND],
        "_History": [],
        "_Noted": 0,
    }


def _target(wanted: dict[str, Any]) -> Record:
    kind, total = (
        wanted.get("DefaultTargetCapacityType", "on-demand"),
        wanted["TotalTargetCapacity"],
    )
    spot, on_demand = wanted.get("SpotTargetCapacity", 0), wanted.get("OnDemandTargetCapacity", 0)
    if min(total, spot, on_demand) < 0 or spot + on_demand > total:
        raise AwsError(
            "InvalidTargetCapacitySpecification",
            "The sum of spot and on-demand target capacity is more than the total.",
        )
    rest = total - spot - on_demand
    return {
        **wanted,
        "DefaultTargetCapacityType": kind,
        "SpotTargetCapacity": spot + (rest if kind == "spot" else 0),
        "OnDemandTargetCapacity": on_demand + (rest if kind == "on-demand" else 0),
    }


def retarget(fleet: Record, wanted: dict[str, Any]) -> None:
    """Give a fleet another target; what is not named follows the kind that is its default."""
    known = fleet["TargetCapacitySpecification"]
    kept = {"DefaultTargetCapacityType": known["DefaultTargetCapacityType"]}
    fleet["TargetCapacitySpecification"] = _target({**kept, **wanted})


def instances_of(transaction: Transaction, region: str, ident: str) -> list[Record]:
    """Return the instances of a fleet that have not ended, nor begun to, the oldest first."""
    return [
        one
        for one in transaction.table("instance", region).values()
        if one.get("_Fleet") == ident and one["State"]["Name"] not in ENDED
    ]


def weight_of(instance: Record) -> float:
    """Return how many units of capacity an instance is."""
    return float(instance.get("_Weight", 1.0))


def end_members(call: Call, fleet: Record, instances: list[Record]) -> None:
    """End instances of a fleet, on behalf of its user; its history says so."""
    idents = [one["InstanceId"] for one in instances]
    words = "Client.UserInitiatedShutdown: User initiated shutdown"
    end_instances(
        call.transaction,
        call.region,
        idents,
        reason_code="Client.UserInitiatedShutdown",
        reason_message=words,
    )
    for ident in idents:
        note(fleet, call.cloud.clock(), "terminated", instance=ident)
        call.settle("instance", ident)


# ---------------------------------------------------------------- what happened


def note(
    fleet: Record,
    now: float,
    kind: str,
    *,
    instance: str | None = None,
    words: str | None = None,
    event: str = "instance-change",
) -> None:
    """Write an event into the history of a fleet, which keeps the last of them."""
    fleet["_Noted"] += 1
    entry = {
        "EventType": event,
        "EventInformation": {
            "EventDescription": words,
            "EventSubType": kind,
            "InstanceId": instance,
        },
        "Timestamp": now,
        "_Order": f"{fleet['_Noted']:012d}",
    }
    fleet["_History"] = [*fleet["_History"], entry][-_MOST_EVENTS:]


def set_state(fleet: Record, state: str, now: float) -> None:
    """Put a fleet in a state."""
    before = fleet["FleetState"]
    if before != state:
        fleet["FleetState"] = state
        note(fleet, now, _CHANGES.get((before, state), state), event="fleet-change")
    if state == "deleted":
        fleet["_OverSince"] = now
