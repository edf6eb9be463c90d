"""Create, change, describe and delete fleets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.fleets.launching import launch, told, told_errors
from runctl.localcloud.services.ec2.idents import FLEET, find, find_all, new_id
from runctl.localcloud.services.ec2.instances.ending import end_instances
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

ALIVE = ("pending", "running")
_FILTERS: Mapping[str, Filter] = {
    "activity-status": path("ActivityStatus"),
    "excess-capacity-termination-policy": path("ExcessCapacityTerminationPolicy"),
    "fleet-state": path("FleetState"),
    "replace-unhealthy-instances": path("ReplaceUnhealthyInstances"),
    "type": path("Type"),
}


@operation("ec2", "CreateFleet")
def create_fleet(call: Call) -> dict[str, Any]:
    """Make a fleet; an instant one is answered with its instances."""
    known = tokens.replay(call)
    if known is not None:
        fleet = find(call, FLEET, known)
        return {"FleetId": known, **fleet.get("_Answer", {})}
    fleet = _record(call)
    ident = fleet["FleetId"]
    call.table("fleet").put(ident, fleet)
    answer: dict[str, Any] = {"FleetId": ident}
    if fleet["Type"] == "instant":
        answer |= _launch_at_once(call, fleet)
    call.settle("fleet", ident)
    tokens.remember(call, ident)
    return answer


def _record(call: Call) -> Record:
    target = dict(call.get("TargetCapacitySpecification"))
    kind = target.get("DefaultTargetCapacityType", "on-demand")
    total = target["TotalTargetCapacity"]
    spot = target.get("SpotTargetCapacity", 0)
    on_demand = target.get("OnDemandTargetCapacity", 0)
    if spot + on_demand > total:
        raise AwsError(
            "InvalidTargetCapacitySpecification",
            "The sum of spot and on-demand target capacity is more than the total.",
        )
    rest = total - spot - on_demand
    target |= {
        "DefaultTargetCapacityType": kind,
        "SpotTargetCapacity": spot + (rest if kind == "spot" else 0),
        "OnDemandTargetCapacity": on_demand + (rest if kind == "on-demand" else 0),
    }
    return {
        "FleetId": new_id(FLEET),
        "FleetState": "submitted",
        "ActivityStatus": "pending_fulfillment",
        "CreateTime": call.cloud.clock(),
        "Type": call.get("Type", "maintain"),
        "ClientToken": call.get("ClientToken"),
        "ExcessCapacityTerminationPolicy": call.get(
            "ExcessCapacityTerminationPolicy", "termination"
        ),
        "TerminateInstancesWithExpiration": bool(call.get("TerminateInstancesWithExpiration")),
        "ReplaceUnhealthyInstances": bool(call.get("ReplaceUnhealthyInstances")),
        "ValidFrom": call.get("ValidFrom"),
        "ValidUntil": call.get("ValidUntil"),
        "LaunchTemplateConfigs": call.get("LaunchTemplateConfigs"),
        "TargetCapacitySpecification": target,
        "SpotOptions": call.get("SpotOptions", {}),
        "OnDemandOptions": call.get("OnDemandOptions", {}),
        "FulfilledCapacity": 0.0,
        "FulfilledOnDemandCapacity": 0.0,
        "Errors": [],
        "Tags": tags_for(call, FLEET),
        "_TagSpecifications": [
            one
            for one in call.get("TagSpecifications", [])
            if one.get("ResourceType") in ("instance", "volume", "spot-instances-request")
        ],
        "_History": [],
    }


def _launch_at_once(call: Call, fleet: Record) -> dict[str, Any]:
    target = fleet["TargetCapacitySpecification"]
    instances: list[Record] = []
    errors: list[Record] = []
    for name, is_spot in (("SpotTargetCapacity", True), ("OnDemandTargetCapacity", False)):
        if target[name]:
            made, refused = launch(call, fleet, target[name], is_spot=is_spot)
            instances += told(call.region, made)
            errors += told_errors(refused, is_spot=is_spot)
    fleet |= {
        "FleetState": "active",
        "ActivityStatus": "fulfilled",
        "_Answer": {"Instances": instances, "Errors": errors},
    }
    return {"Instances": instances, "Errors": errors}


@operation("ec2", "ModifyFleet")
def modify_fleet(call: Call) -> dict[str, Any]:
    """Change the capacity of a fleet that maintains it."""
    fleet = call.table("fleet").edit(_existing(call, call.get("FleetId"))["FleetId"])
    if fleet["Type"] != "maintain":
        raise AwsError("UnsupportedOperation", "Only a fleet of type maintain can be modified.")
    wanted = call.get("TargetCapacitySpecification")
    if wanted is not None:
        target = fleet["TargetCapacitySpecification"]
        total = wanted["TotalTargetCapacity"]
        is_spot = target["DefaultTargetCapacityType"] == "spot"
        base = wanted.get("OnDemandTargetCapacity", 0) if is_spot else total
        target |= {
            "TotalTargetCapacity": total,
            "OnDemandTargetCapacity": base,
            "SpotTargetCapacity": wanted.get("SpotTargetCapacity", total - base),
        }
        fleet["ActivityStatus"] = "pending_fulfillment"
    if call.get("ExcessCapacityTerminationPolicy"):
        fleet["ExcessCapacityTerminationPolicy"] = call.get("ExcessCapacityTerminationPolicy")
    call.settle("fleet", fleet["FleetId"])
    return {"Return": True}


def _existing(call: Call, ident: str) -> Record:
    found = call.table("fleet").get(ident)
    if found is None:
        raise AwsError("InvalidFleetId.NotFound", f"The fleet ID '{ident}' does not exist")
    return found


@operation("ec2", "DescribeFleets")
def describe_fleets(call: Call) -> dict[str, Any]:
    """List fleets; instant ones only by their ids."""
    idents = call.get("FleetIds")
    if idents:
        found = find_all(call, FLEET, idents)
    else:
        found = [one for one in call.table("fleet").values() if one["Type"] != "instant"]
    found = apply(_FILTERS, call.get("Filters"), found)
    told_fleets = [{**one, **one.get("_Answer", {})} for one in found]
    return page(call, "Fleets", told_fleets, sort_by="FleetId", low=1)


@operation("ec2", "DescribeFleetInstances")
def describe_fleet_instances(call: Call) -> dict[str, Any]:
    """List the instances of a fleet that are alive."""
    fleet = _existing(call, call.get("FleetId"))
    if fleet["Type"] == "instant":
        raise AwsError("Unsupported", "Instances of an instant fleet are in its own answer.")
    active = [
        {
            "InstanceId": one["InstanceId"],
            "InstanceType": one["InstanceType"],
            "SpotInstanceRequestId": one.get("SpotInstanceRequestId"),
            "InstanceHealth": "healthy",
        }
        for one in call.table("instance").values()
        if one.get("_Fleet") == fleet["FleetId"] and one["State"]["Name"] in ALIVE
    ]
    answer = page(call, "ActiveInstances", active, sort_by="InstanceId", low=1)
    return {"FleetId": fleet["FleetId"], **answer}


@operation("ec2", "DescribeFleetHistory")
def describe_fleet_history(call: Call) -> dict[str, Any]:
    """List what a fleet did since a time."""
    fleet = _existing(call, call.get("FleetId"))
    since = call.get("StartTime")
    records = [one for one in fleet["_History"] if one["Timestamp"] >= since]
    return {
        "FleetId": fleet["FleetId"],
        "StartTime": since,
        "LastEvaluatedTime": call.cloud.clock(),
        "HistoryRecords": records,
    }


@operation("ec2", "DeleteFleets")
def delete_fleets(call: Call) -> dict[str, Any]:
    """Delete fleets, with their instances or without them."""
    done, failed = [], []
    ends = bool(call.get("TerminateInstances"))
    for ident in call.get("FleetIds"):
        found = call.table("fleet").get(ident)
        if found is None or found["FleetState"].startswith("deleted"):
            words = {"Code": "fleetIdDoesNotExist", "Message": "The fleet does not exist."}
            failed.append({"FleetId": ident, "Error": words})
            continue
        if found["Type"] == "instant" and not ends:
            words = {"Code": "unexpectedError", "Message": "Instances have to be terminated too."}
            failed.append({"FleetId": ident, "Error": words})
            continue
        done.append(_delete(call, ident, ends=ends))
    return {"SuccessfulFleetDeletions": done, "UnsuccessfulFleetDeletions": failed}


def _delete(call: Call, ident: str, *, ends: bool) -> Record:
    fleet = call.table("fleet").edit(ident)
    before = fleet["FleetState"]
    fleet["FleetState"] = "deleted_terminating" if ends else "deleted_running"
    if ends:
        end_fleet_instances(call, ident)
    call.settle("fleet", ident)
    return {
        "FleetId": ident,
        "CurrentFleetState": fleet["FleetState"],
        "PreviousFleetState": before,
    }


def end_fleet_instances(call: Call, ident: str) -> None:
    """End the instances of a fleet."""
    mine = [
        one["InstanceId"]
        for one in call.table("instance").values()
        if one.get("_Fleet") == ident and one["State"]["Name"] != "terminated"
    ]
    end_instances(
        call.transaction,
        call.region,
        mine,
        reason_code="Client.UserInitiatedShutdown",
        reason_message="Client.UserInitiatedShutdown: User initiated shutdown",
    )
    for one in mine:
        call.settle("instance", one)


@operation("ec2", "RequestSpotFleet", "DescribeSpotFleetRequests", "CancelSpotFleetRequests")
def refuse_spot_fleets(call: Call) -> None:
    """Refuse the older kind of fleet."""
    raise AwsError(
        "UnsupportedOperation",
        f"The local cloud does not support {call.operation}; EC2 fleets take its place.",
    )
