"""Fleets over time: filled up, replenished, cut back, expired, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.fleets.launching import launch
from runctl.localcloud.services.ec2.fleets.verbs import ALIVE, end_fleet_instances
from runctl.localcloud.services.ec2.instances.ending import end_instances
from runctl.localcloud.services.ec2.spot.settling import call_for
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud

_HISTORY = 200
_OVER = ("terminated", "shutting-down")


@settles("fleet")
def settle_fleet(cloud: Cloud, region: str, ident: str) -> None:
    """Bring a fleet to its capacity; a fleet that maintains it is looked at again and again."""
    fleet = cloud.records.peek("fleet", region, ident)
    if fleet is None or fleet["FleetState"] == "deleted":
        return
    if fleet["FleetState"].startswith("deleted"):
        _finish_deletion(cloud, region, ident)
    elif _is_expired(cloud, fleet):
        _expire(cloud, region, ident)
    elif fleet["Type"] != "instant":
        _fill(cloud, region, ident)
        cloud.settle_later(cloud.pace.fleet_s, "fleet", region, ident)


def _is_expired(cloud: Cloud, fleet: Record) -> bool:
    return bool(fleet.get("ValidUntil")) and fleet["ValidUntil"] <= cloud.clock()


def _expire(cloud: Cloud, region: str, ident: str) -> None:
    call = call_for(cloud, region, {})
    with cloud.records.transaction() as call.transaction:
        fleet = call.table("fleet").edit(ident)
        ends = fleet["TerminateInstancesWithExpiration"]
        fleet["FleetState"] = "deleted_terminating" if ends else "deleted_running"
        if ends:
            end_fleet_instances(call, ident)
    _do_afterwards(cloud, call)
    cloud.settle_later(cloud.pace.fleet_s, "fleet", region, ident)


def _finish_deletion(cloud: Cloud, region: str, ident: str) -> None:
    """A fleet that is being deleted is gone once none of its instances is left, or wanted to be."""
    with cloud.records.transaction() as transaction:
        fleet = transaction.table("fleet", region).edit(ident)
        is_left = any(_mine(transaction, region, ident))
        if fleet["FleetState"] == "deleted_running" or not is_left:
            fleet["FleetState"] = (
                "deleted" if fleet["FleetState"] == "deleted_terminating" else "deleted_running"
            )
            return
    cloud.settle_later(cloud.pace.fleet_s, "fleet", region, ident)


def _mine(transaction: Transaction, region: str, ident: str) -> list[Record]:
    return [
        one
        for one in transaction.table("instance", region).values()
        if one.get("_Fleet") == ident and one["State"]["Name"] not in _OVER
    ]


def _fill(cloud: Cloud, region: str, ident: str) -> None:
    """Launch what is missing, end what is too much: in one transaction, so that a kill doubles
    nothing."""
    call = call_for(cloud, region, {})
    try:
        with cloud.records.transaction() as call.transaction:
            fleet = call.table("fleet").edit(ident)
            if fleet["FleetState"].startswith("deleted"):
                return
            for name, is_spot in (("SpotTargetCapacity", True), ("OnDemandTargetCapacity", False)):
                _adjust(call, fleet, fleet["TargetCapacitySpecification"][name], is_spot=is_spot)
            _count(call, fleet)
    except AwsError as error:
        for work in call.undoing:
            work()
        _note_error(cloud, region, ident, error)
        return
    _do_afterwards(cloud, call)


def _adjust(call: Call, fleet: Record, wanted: int, *, is_spot: bool) -> None:
    mine = [
        one
        for one in _mine(call.transaction, call.region, fleet["FleetId"])
        if (one.get("InstanceLifecycle") == "spot") == is_spot
    ]
    alive = [one for one in mine if one["State"]["Name"] in ALIVE]
    is_filled = fleet["Type"] == "request" and fleet["ActivityStatus"] == "fulfilled"
    if len(alive) < wanted and not is_filled:
        made, refused = launch(call, fleet, wanted - len(alive), is_spot=is_spot)
        for one in made:
            _note(call, fleet, "launched", one["Instance"]["InstanceId"])
        for one in refused:
            _note(call, fleet, "launchFailed", None, f"{one['Code']}: {one['Message']}")
    elif len(alive) > wanted and fleet["ExcessCapacityTerminationPolicy"] == "termination":
        _cut_back(call, fleet, alive[wanted:])


def _cut_back(call: Call, fleet: Record, excess: list[Record]) -> None:
    idents = [one["InstanceId"] for one in excess]
    words = "Client.InstanceInitiatedShutdown: excess capacity of the fleet"
    end_instances(
        call.transaction,
        call.region,
        idents,
        reason_code="Client.UserInitiatedShutdown",
        reason_message=words,
    )
    for ident in idents:
        _note(call, fleet, "terminated", ident)
        call.settle("instance", ident)


def _count(call: Call, fleet: Record) -> None:
    mine = _mine(call.transaction, call.region, fleet["FleetId"])
    alive = [one for one in mine if one["State"]["Name"] in ALIVE]
    on_demand = [one for one in alive if one.get("InstanceLifecycle") != "spot"]
    total = fleet["TargetCapacitySpecification"]["TotalTargetCapacity"]
    fleet |= {
        "FleetState": "active",
        "FulfilledCapacity": float(len(alive)),
        "FulfilledOnDemandCapacity": float(len(on_demand)),
        "ActivityStatus": "fulfilled" if len(alive) >= total else "pending_fulfillment",
    }


def _note(
    call: Call, fleet: Record, kind: str, instance: str | None, words: str | None = None
) -> None:
    information = {"EventSubType": kind, "InstanceId": instance, "EventDescription": words}
    event = {
        "EventType": "error" if kind == "launchFailed" else "instance-change",
        "EventInformation": information,
        "Timestamp": call.cloud.clock(),
    }
    fleet["_History"] = [*fleet["_History"], event][-_HISTORY:]


def _note_error(cloud: Cloud, region: str, ident: str, error: AwsError) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table("fleet", region)
        if ident in table:
            fleet = table.edit(ident)
            fleet["ActivityStatus"] = "error"
            fleet["Errors"] = [{"ErrorCode": error.code, "ErrorMessage": error.message}]


def _do_afterwards(cloud: Cloud, call: Call) -> None:
    for work in call.afterwards:
        cloud.jobs.soon(work)
