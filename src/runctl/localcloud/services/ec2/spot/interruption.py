"""Interruptions: a notice in the metadata, and after it the end, whoever is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from runctl.localcloud.services.ec2.instances.ending import end_instances, stop_instance
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.services.ec2.spot.records import KIND, set_status
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

CODE = "Server.SpotInstanceTermination"
STOP_CODE = "Server.SpotInstanceShutdown"
Cause = Literal["no-capacity", "by-price"]


def interrupt(
    cloud: Cloud, region: str, ident: str, *, notice_s: float = 120.0, cause: Cause = "no-capacity"
) -> Record:
    """Announce the interruption of a spot instance; it ends when the notice is over.

    What happens to it is what its request says: terminate, stop or hibernate. A second
    interruption cannot put off the first.
    """
    now = cloud.clock()
    with cloud.records.transaction() as transaction:
        instance, request = _spot(transaction, region, ident)
        action = request["InstanceInterruptionBehavior"] if request else "terminate"
        known = instance.get("_SpotAction", {}).get("time", now + notice_s)
        when = min(known, now + notice_s)
        instance |= {"_SpotAction": {"action": action, "time": when}, "_SpotCause": cause}
        if request is not None and request["State"] == "active":
            word = "termination" if action == "terminate" else "stop"
            set_status(request, f"marked-for-{word}", now)
    cloud.journal.note("interruption", instance=ident, region=region, notice_s=notice_s)
    cloud.settle_later(max(0.0, when - now), "instance", region, ident)
    return instance


def recommend_rebalance(cloud: Cloud, region: str, ident: str) -> None:
    """Announce that a spot instance is at an elevated risk; a fleet may replace it then."""
    with cloud.records.transaction() as transaction:
        instance, _ = _spot(transaction, region, ident)
        instance.setdefault("_RebalanceNotice", cloud.clock())
    cloud.journal.note("rebalance", instance=ident, region=region)


def _spot(transaction: Transaction, region: str, ident: str) -> tuple[Record, Record | None]:
    table = transaction.table("instance", region)
    found = table.get(ident)
    if found is None:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{ident}' does not exist")
    if found.get("InstanceLifecycle") != "spot":
        raise AwsError("UnsupportedOperation", f"The instance {ident} is not a spot instance.")
    if state_of(found) not in ("pending", "running"):
        raise AwsError("IncorrectInstanceState", f"The instance {ident} is {state_of(found)}.")
    requests = transaction.table(KIND, region)
    request_id = str(found.get("SpotInstanceRequestId"))
    return table.edit(ident), requests.edit(request_id) if request_id in requests else None


def carry_out(cloud: Cloud, region: str, instance: Record) -> bool:
    """End an instance whose notice is over; return whether it was ended now.

    Where the notice is not over, this is asked for again: also after a restart of the cloud.
    """
    action = instance.get("_SpotAction")
    if action is None:
        return False
    ident = instance["InstanceId"]
    rest_s = action["time"] - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, "instance", region, ident)
        return False
    with cloud.records.transaction() as transaction:
        found = transaction.table("instance", region).get(ident)
        if found is None or state_of(found) != "running":
            return False  # somebody else has ended it meanwhile
        _end(transaction, region, ident, action["action"])
    cloud.journal.note("interrupted", instance=ident, region=region)
    return True


def _end(transaction: Transaction, region: str, ident: str, action: str) -> None:
    if action == "terminate":
        words = f"{CODE}: Instance terminated due to spot interruption"
        end_instances(
            transaction, region, [ident], reason_code=CODE, reason_message=words, transition=words
        )
        return
    instance = transaction.table("instance", region).edit(ident)
    words = f"{STOP_CODE}: Instance stopped due to spot interruption"
    stop_instance(instance, STOP_CODE, words, words)
    instance["_IsForced"] = True
