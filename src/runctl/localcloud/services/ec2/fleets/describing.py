"""What fleets there are, what they have, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.fleets.records import ALIVE, KIND, instances_of
from runctl.localcloud.services.ec2.idents import FLEET, find, find_all
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "activity-status": path("ActivityStatus"),
    "excess-capacity-termination-policy": path("ExcessCapacityTerminationPolicy"),
    "fleet-state": path("FleetState"),
    "replace-unhealthy-instances": path("ReplaceUnhealthyInstances"),
    "type": path("Type"),
}
_INSTANCE_FILTERS: Mapping[str, Filter] = {"instance-type": path("InstanceType")}


@operation("ec2", "DescribeFleets")
def describe_fleets(call: Call) -> dict[str, Any]:
    """List fleets; instant ones only by their ids."""
    idents = call.get("FleetIds")
    if idents:
        found = find_all(call, FLEET, idents)
    else:
        found = [one for one in call.table(KIND).values() if one["Type"] != "instant"]
    found = apply(_FILTERS, call.get("Filters"), found)
    shown = [{**one, **one.get("_Answer", {})} for one in found]
    return page(call, "Fleets", shown, sort_by="FleetId", low=1)


def _lasting(call: Call) -> Record:
    """Return the fleet of the call, which must not be an instant one."""
    fleet = find(call, FLEET, call.get("FleetId"))
    if fleet["Type"] == "instant":
        raise AwsError("Unsupported", f"{call.operation} does not support fleets of type instant.")
    return fleet


@operation("ec2", "DescribeFleetInstances")
def describe_fleet_instances(call: Call) -> dict[str, Any]:
    """List the instances of a fleet that are alive."""
    ident = _lasting(call)["FleetId"]
    active = [
        {
            "InstanceId": one["InstanceId"],
            "InstanceType": one["InstanceType"],
            "SpotInstanceRequestId": one.get("SpotInstanceRequestId"),
            "InstanceHealth": _health(call, one["InstanceId"]),
        }
        for one in instances_of(call.transaction, call.region, ident)
        if one["State"]["Name"] in ALIVE
    ]
    active = apply(_INSTANCE_FILTERS, call.get("Filters"), active)
    answer = page(call, "ActiveInstances", active, sort_by="InstanceId", low=1)
    return {"FleetId": ident, **answer}


def _health(call: Call, instance: str) -> str:
    return "unhealthy" if call.cloud.faults.is_cut_off(instance) else "healthy"


@operation("ec2", "DescribeFleetHistory")
def describe_fleet_history(call: Call) -> dict[str, Any]:
    """List what a fleet did since a time."""
    fleet, since, kind = _lasting(call), call.get("StartTime"), call.get("EventType")
    found = [
        one
        for one in fleet["_History"]
        if one["Timestamp"] >= since and kind in (None, one["EventType"])
    ]
    answer = page(call, "HistoryRecords", found, sort_by="_Order", low=1)
    return {
        "FleetId": fleet["FleetId"],
        "StartTime": since,
        "LastEvaluatedTime": call.cloud.clock(),
        **answer,
    }
