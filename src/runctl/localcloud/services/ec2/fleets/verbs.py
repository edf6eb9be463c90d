"""Create, change and delete fleets."""

from __future__ import annotations

import re
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.fleets.checks import check_configs, check_fleet
from runctl.localcloud.services.ec2.fleets.launching import launch
from runctl.localcloud.services.ec2.fleets.records import (
    KIND,
    end_members,
    fleet_record,
    instances_of,
    note,
    retarget,
    set_state,
)
from runctl.localcloud.services.ec2.idents import FLEET, edit, find
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_ID = re.compile(r"fleet-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@operation("ec2", "CreateFleet")
def create_fleet(call: Call) -> dict[str, Any]:
    """Make a fleet; an instant one is answered with its instances."""
    known = tokens.replay(call)
    if known is not None:
        fleet = find(call, FLEET, known)
        return {"FleetId": known, **fleet.get("_Answer", {})}
    fleet = fleet_record(call)
    check_fleet(call, fleet)
    ident = fleet["FleetId"]
    note(fleet, call.cloud.clock(), "submitted", event="fleet-change")
    if fleet["Type"] == "instant":
        _launch_at_once(call, fleet)
    call.table(KIND).put(ident, fleet)
    call.settle(KIND, ident)
    tokens.remember(call, ident)
    return {"FleetId": ident, **fleet.get("_Answer", {})}


def _launch_at_once(call: Call, fleet: Record) -> None:
    target, now = fleet["TargetCapacitySpecification"], call.cloud.clock()
    set_state(fleet, "active", now)
    answer: dict[str, list[Record]] = {"Instances": [], "Errors": []}
    for name, is_spot in (("SpotTargetCapacity", True), ("OnDemandTargetCapacity", False)):
        if target[name]:
            found = launch(call, fleet, target[name], is_spot=is_spot)
            answer["Instances"] += found.told()
            answer["Errors"] += found.told_errors()
            fleet["FulfilledCapacity"] += found.capacity
            fleet["FulfilledOnDemandCapacity"] += 0.0 if is_spot else found.capacity
    fleet["ActivityStatus"] = "fulfilled"  # whether or not its target is met
    fleet["_Answer"] = answer


@operation("ec2", "ModifyFleet")
def modify_fleet(call: Call) -> dict[str, Any]:
    """Change the capacity or the templates of a fleet that maintains it."""
    fleet = edit(call, FLEET, call.get("FleetId"))
    if fleet["Type"] != "maintain" or fleet["FleetState"].startswith(("deleted", "failed")):
        raise AwsError(
            "FleetNotInModifiableState",
            f"The fleet {fleet['FleetId']} of type {fleet['Type']} is {fleet['FleetState']}, and "
            "cannot be modified.",
        )
    if call.get("TargetCapacitySpecification"):
        retarget(fleet, call.get("TargetCapacitySpecification"))
    if call.get("LaunchTemplateConfigs"):
        check_configs(call, call.get("LaunchTemplateConfigs"))
        fleet["LaunchTemplateConfigs"] = call.get("LaunchTemplateConfigs")
    if call.get("ExcessCapacityTerminationPolicy"):
        fleet["ExcessCapacityTerminationPolicy"] = call.get("ExcessCapacityTerminationPolicy")
    set_state(fleet, "modifying", call.cloud.clock())
    call.settle(KIND, fleet["FleetId"])
    return {"Return": True}


# ---------------------------------------------------------------- DeleteFleets


@operation("ec2", "DeleteFleets")
def delete_fleets(call: Call) -> dict[str, Any]:
    """Delete fleets, with their instances or without them."""
    done, failed = [], []
    ends = bool(call.get("TerminateInstances"))
    for ident in call.get("FleetIds"):
        problem = _problem(ident, call.table(KIND).get(ident), ends=ends)
        if problem is None:
            done.append(_delete(call, ident, ends=ends))
        else:
            code, words = problem
            failed.append({"FleetId": ident, "Error": {"Code": code, "Message": words}})
    return {"SuccessfulFleetDeletions": done, "UnsuccessfulFleetDeletions": failed}


def _problem(ident: str, fleet: Record | None, *, ends: bool) -> tuple[str, str] | None:
    """Return why a fleet cannot be deleted, as a code and in words."""
    if not _ID.fullmatch(ident):
        return "fleetIdMalformed", f"The fleet ID '{ident}' is malformed."
    if fleet is None:
        return "fleetIdDoesNotExist", f"The fleet ID '{ident}' does not exist."
    is_over = fleet["FleetState"] in ("deleted", "deleted_terminating", "failed")
    if is_over or (fleet["FleetState"] == "deleted_running" and not ends):
        return "fleetNotInDeletableState", f"The fleet '{ident}' is {fleet['FleetState']}."
    if fleet["Type"] == "instant" and not ends:
        return "unexpectedError", "The instances of an instant fleet have to be terminated with it."
    return None


def _delete(call: Call, ident: str, *, ends: bool) -> Record:
    fleet = call.table(KIND).edit(ident)
    before = fleet["FleetState"]
    set_state(fleet, "deleted_terminating" if ends else "deleted_running", call.cloud.clock())
    if ends:
        end_members(call, fleet, instances_of(call.transaction, call.region, ident))
    call.settle(KIND, ident)
    return {
        "FleetId": ident,
        "CurrentFleetState": fleet["FleetState"],
        "PreviousFleetState": before,
    }


@operation(
    "ec2",
    "CancelSpotFleetRequests",
    "DescribeSpotFleetInstances",
    "DescribeSpotFleetRequestHistory",
    "DescribeSpotFleetRequests",
    "ModifySpotFleetRequest",
    "RequestSpotFleet",
)
def refuse_spot_fleets(call: Call) -> None:
    """Refuse the older kind of fleet."""
    raise AwsError(
        "UnsupportedOperation",
        f"The local cloud does not support {call.operation}; EC2 fleets take its place.",
    )
