"""Fleets over time: filled up, replenished, cut back, expired, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.services.ec2.fleets.launching import Launches, launch
from runctl.localcloud.services.ec2.fleets.needs import Needs, needs_of, standing
from runctl.localcloud.services.ec2.fleets.records import (
    KIND,
    end_members,
    instances_of,
    note,
    set_state,
)
from runctl.localcloud.services.ec2.spot.settling import call_for, do_afterwards
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud


@settles(KIND)
def settle_fleet(cloud: Cloud, region: str, ident: str) -> None:
    """Bring a fleet to its capacity; a fleet that maintains it is looked at again and again.

    What is launched and what is recorded of it are one transaction: a kill doubles nothing.
    """
    call = call_for(cloud, region, {})
    try:
        with cloud.records.transaction() as call.transaction:
            rest_s = _look(call, ident)
    except BaseException:
        call.take_back()
        raise
    do_afterwards(call)
    if rest_s is not None:
        cloud.settle_later(rest_s, KIND, region, ident)


def _look(call: Call, ident: str) -> float | None:
    """Do what is due; return after how many seconds to look again."""
    fleet = call.table(KIND).get(ident)
    if fleet is None:
        return None
    now, pace = call.cloud.clock(), call.cloud.pace
    if fleet["FleetState"] == "deleted":
        return _forget(call, ident, float(fleet["_OverSince"]))
    if fleet["FleetState"].startswith("deleted"):
        _finish_deletion(call, fleet)
    elif fleet["Type"] == "instant":
        return _forget(call, ident, float(fleet["CreateTime"]))
    elif fleet.get("ValidUntil") and fleet["ValidUntil"] <= now:
        _expire(call, ident)
    elif (fleet.get("ValidFrom") or now) <= now:
        _bring_up(call, fleet)
    return pace.fleet_s


# ---------------------------------------------------------------- the end of a fleet


def _forget(call: Call, ident: str, since: float) -> float | None:
    """Forget a fleet of which nothing is left, after the time for which instances are kept."""
    keep_s = call.cloud.pace.keep_terminated_s
    rest_s = since + keep_s - call.cloud.clock()
    if rest_s > 0:
        return rest_s
    if any(one.get("_Fleet") == ident for one in call.table("instance").values()):
        return keep_s
    call.table(KIND).delete(ident)
    return None


def _expire(call: Call, ident: str) -> None:
    fleet = call.table(KIND).edit(ident)
    ends = fleet["TerminateInstancesWithExpiration"]
    note(fleet, call.cloud.clock(), "expired", event="fleet-change")
    set_state(fleet, "deleted_terminating" if ends else "deleted_running", call.cloud.clock())
    if ends:
        end_members(call, fleet, instances_of(call.transaction, call.region, ident))


def _finish_deletion(call: Call, fleet: Record) -> None:
    """A fleet is deleted once none of its instances is left; until then it counts those."""
    ident = fleet["FleetId"]
    counted = standing(fleet, instances_of(call.transaction, call.region, ident))
    counted.pop("ActivityStatus")
    if any(fleet[name] != value for name, value in counted.items()):
        call.table(KIND).edit(ident).update(counted)
    is_left = any(
        one.get("_Fleet") == ident and one["State"]["Name"] != "terminated"
        for one in call.table("instance").values()
    )
    if not is_left:
        set_state(call.table(KIND).edit(ident), "deleted", call.cloud.clock())


# ---------------------------------------------------------------- its capacity


def _bring_up(call: Call, fleet: Record) -> None:
    members = instances_of(call.transaction, call.region, fleet["FleetId"])
    members = _without_unhealthy(call, fleet, members)
    now = call.cloud.clock()
    both = {is_spot: needs_of(fleet, members, now, is_spot=is_spot) for is_spot in (True, False)}
    if _is_at_rest(fleet, members, list(both.values())):
        return
    edited = call.table(KIND).edit(fleet["FleetId"])
    edited["Errors"] = []
    for is_spot, needs in both.items():
        _cut_back(call, edited, needs)
        if needs.missing > 0:
            _launch(call, edited, needs.missing, is_spot=is_spot)
    edited |= standing(edited, instances_of(call.transaction, call.region, fleet["FleetId"]))
    edited["_WasFilled"] = edited.get("_WasFilled") or edited["ActivityStatus"] == "fulfilled"
    set_state(edited, "active", now)


def _without_unhealthy(call: Call, fleet: Record, members: list[Record]) -> list[Record]:
    """End what has been impaired for a while, where it is to be replaced; return the others."""
    if not (fleet["ReplaceUnhealthyInstances"] and fleet["Type"] == "maintain"):
        return members
    lost = [one for one in members if _is_unhealthy(call.cloud, one["InstanceId"])]
    if lost:
        end_members(call, call.table(KIND).edit(fleet["FleetId"]), lost)
    return [one for one in members if one not in lost]


def _is_unhealthy(cloud: Cloud, instance: str) -> bool:
    since = cloud.faults.cut_off_since(instance)
    return since is not None and since + cloud.pace.unhealthy_s <= cloud.clock()


def _is_at_rest(fleet: Record, members: list[Record], needs: list[Needs]) -> bool:
    """Whether there is nothing to be done, nor to be written: this is asked once a second."""
    if any(one.missing > 0 or one.excess for one in needs) or fleet["FleetState"] != "active":
        return False
    return all(fleet[name] == value for name, value in standing(fleet, members).items())


def _cut_back(call: Call, fleet: Record, needs: Needs) -> None:
    end_members(call, fleet, needs.excess)


def _launch(call: Call, fleet: Record, missing: float, *, is_spot: bool) -> None:
    try:
        found = launch(call, fleet, missing, is_spot=is_spot)
    except AwsError as error:  # its templates are gone, or no longer good for anything
        found = Launches(is_spot=is_spot)
        fleet["Errors"] = [{"ErrorCode": error.code, "ErrorMessage": error.message}]
    now = call.cloud.clock()
    for pool, instance in found.made:
        words = f'{{"instanceType":"{pool.kind}","availabilityZone":"{pool.zone}"}}'
        note(fleet, now, "launched", instance=instance["InstanceId"], words=words)
    fleet["Errors"] = [*fleet["Errors"], *found.told_errors()]
    _note_errors(fleet, now)


def _note_errors(fleet: Record, now: float) -> None:
    """Note each refusal once, not at every attempt."""
    told = sorted({f"{one['ErrorCode']}: {one['ErrorMessage']}" for one in fleet["Errors"]})
    for words in told:
        if words not in fleet.get("_Told", []):
            note(
                fleet,
                now,
                "allLaunchSpecsTemporarilyBlacklisted",
                words=words,
                event="service-error",
            )
    fleet["_Told"] = told
