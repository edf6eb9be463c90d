"""What a fleet is to do now: how much is missing, which instances are too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runctl.localcloud.services.ec2.fleets.records import ALIVE, weight_of
from runctl.localcloud.state.records import Record


@dataclass(frozen=True)
class Needs:
    """What is to be done about the instances of one market."""

    missing: float
    excess: list[Record]


def needs_of(fleet: Record, members: list[Record], now: float, *, is_spot: bool) -> Needs:
    """Compare the instances of a market with its target.

    What has been recommended to leave does not count where it is to be replaced. It goes on: until
    it is interrupted, or until its replacement is there and its delay over.
    """
    name = "SpotTargetCapacity" if is_spot else "OnDemandTargetCapacity"
    target = float(fleet["TargetCapacitySpecification"][name])
    mine = [
        one
        for one in members
        if (one.get("InstanceLifecycle") == "spot") == is_spot and one["State"]["Name"] in ALIVE
    ]
    rebalance = _rebalance(fleet)
    leaving = [one for one in mine if rebalance and one.get("_RebalanceNotice")]
    staying = [one for one in mine if one not in leaving]
    capacity = sum(weight_of(one) for one in staying)
    missing = 0.0 if _is_filled(fleet) else max(0.0, target - capacity)
    excess = _excess(fleet, staying, target) + (
        _relieved(rebalance, leaving, now) if capacity >= target else []
    )
    return Needs(missing, excess)


def _is_filled(fleet: Record) -> bool:
    """Whether it is a request that has been met once, and is not to be met again."""
    return fleet["Type"] == "request" and bool(fleet.get("_WasFilled"))


def _rebalance(fleet: Record) -> dict[str, Any]:
    strategies: dict[str, Any] = fleet["SpotOptions"].get("MaintenanceStrategies", {})
    found: dict[str, Any] = strategies.get("CapacityRebalance", {})
    is_asked = fleet["Type"] == "maintain" and found.get("ReplacementStrategy")
    return found if is_asked else {}


def _relieved(rebalance: dict[str, Any], leaving: list[Record], now: float) -> list[Record]:
    if rebalance.get("ReplacementStrategy") != "launch-before-terminate":
        return []
    delay_s = rebalance.get("TerminationDelay", 0)
    return [one for one in leaving if one["_RebalanceNotice"] + delay_s <= now]


def _excess(fleet: Record, staying: list[Record], target: float) -> list[Record]:
    """Return the youngest that can go without falling below the target."""
    if fleet["ExcessCapacityTerminationPolicy"] != "termination" or fleet["Type"] != "maintain":
        return []
    capacity, found = sum(weight_of(one) for one in staying), []
    for one in reversed(staying):
        if capacity - weight_of(one) >= target:
            capacity -= weight_of(one)
            found.append(one)
    return found


def standing(fleet: Record, members: list[Record]) -> Record:
    """Return the members of a fleet that tell how it stands."""
    alive = [one for one in members if one["State"]["Name"] in ALIVE]
    on_demand = [one for one in alive if one.get("InstanceLifecycle") != "spot"]
    capacity = sum(weight_of(one) for one in alive)
    total = fleet["TargetCapacitySpecification"]["TotalTargetCapacity"]
    status = "fulfilled" if capacity >= total else "pending_fulfillment"
    return {
        "FulfilledCapacity": float(capacity),
        "FulfilledOnDemandCapacity": float(sum(weight_of(one) for one in on_demand)),
        "ActivityStatus": "error" if status != "fulfilled" and fleet["Errors"] else status,
    }
