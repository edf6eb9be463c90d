"""Spot requests over time: open ones are fulfilled, or told why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.api import Call
from runctl.localcloud.cloud import settles
from runctl.localcloud.identity import Principal
from runctl.localcloud.services.ec2.idents import SPOT_REQUEST
from runctl.localcloud.services.ec2.instances.creation import create_instances
from runctl.localcloud.services.ec2.spot.records import fulfil, set_status
from runctl.localcloud.services.ec2.spot.requests import is_too_low
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

KIND = SPOT_REQUEST.kind
_ASK_AGAIN_S = 2.0
_WAITING = {
    "InsufficientInstanceCapacity": "capacity-not-available",
    "MaxSpotInstanceCountExceeded": "capacity-not-available",
}


@settles(KIND)
def settle_spot_request(cloud: Cloud, region: str, ident: str) -> None:
    """Fulfil an open request; one that cannot be fulfilled yet is looked at again."""
    request = cloud.records.peek(KIND, region, ident)
    if request is None or request["State"] != "open" or not request.get("_Launch"):
        return
    rest_s = request["CreateTime"] + cloud.pace.spot_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, KIND, region, ident)
        return
    if request.get("ValidUntil") and request["ValidUntil"] < cloud.clock():
        _close(cloud, region, ident)
    elif not _is_fulfilled(cloud, region, request):
        cloud.settle_later(_ASK_AGAIN_S, KIND, region, ident)


def _close(cloud: Cloud, region: str, ident: str) -> None:
    with cloud.records.transaction() as transaction:
        request = transaction.table(KIND, region).edit(ident)
        request["State"] = "closed"
        set_status(request, "canceled-before-fulfillment", cloud.clock())


def _is_fulfilled(cloud: Cloud, region: str, request: Record) -> bool:
    """Launch the instance; return whether the request needs no other look."""
    launch, ident = request["_Launch"], request["SpotInstanceRequestId"]
    kind = launch.get("InstanceType", "m1.small")
    if is_too_low(kind, region, request["SpotPrice"]):
        _wait(cloud, region, ident, "price-too-low")
        return False
    try:
        made = _launch(cloud, region, request)
    except AwsError as error:
        if error.code in _WAITING:
            _wait(cloud, region, ident, _WAITING[error.code])
            return False
        _fail(cloud, region, ident, error)
        return True
    if made is not None:
        cloud.settle_later(0.0, "instance", region, made)
    return True


def _launch(cloud: Cloud, region: str, request: Record) -> str | None:
    """Make instance and fulfilment in one transaction: a kill leaves both or neither."""
    ident = request["SpotInstanceRequestId"]
    call = call_for(cloud, region, request["_Launch"])
    try:
        with cloud.records.transaction() as call.transaction:
            table = call.transaction.table(KIND, region)
            if ident not in table or table.edit(ident)["State"] != "open":
                return None  # it was cancelled meanwhile
            [instance] = create_instances(call, request["_Launch"], 1, spot_request=ident)
            fulfil(table.edit(ident), instance, cloud.clock())
    except AwsError:
        for work in call.undoing:
            work()
        raise
    for work in call.afterwards:
        cloud.jobs.soon(work)
    return str(instance["InstanceId"])


def call_for(cloud: Cloud, region: str, parameters: Record) -> Call:
    """Return the call by which the cloud itself launches what a request or fleet wants."""
    root = Principal("", cloud.account, f"arn:aws:iam::{cloud.account}:root")
    return Call(cloud, "ec2", "RunInstances", region, root, parameters, "", Transaction({}))


def _wait(cloud: Cloud, region: str, ident: str, code: str) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table(KIND, region)
        request = table.get(ident)
        if request is not None and request["Status"]["Code"] != code:
            set_status(table.edit(ident), code, cloud.clock())


def _fail(cloud: Cloud, region: str, ident: str, error: AwsError) -> None:
    with cloud.records.transaction() as transaction:
        request = transaction.table(KIND, region).edit(ident)
        request["State"] = "failed"
        request["Fault"] = {"Code": error.code, "Message": error.message}
        set_status(request, "bad-parameters", cloud.clock())


def follow_end(transaction: Transaction, region: str, instance: Record, now: float) -> str | None:
    """Let a request follow its instance, which is ending; return one that opens again."""
    ident = instance.get("SpotInstanceRequestId")
    table = transaction.table(KIND, region)
    request = table.get(ident) if ident else None
    if request is None or request["State"] != "active":
        return None
    request = table.edit(str(ident))
    is_interrupted = instance.get("StateReason", {}).get("Code", "").startswith("Server.Spot")
    code = "instance-terminated-no-capacity" if is_interrupted else "instance-terminated-by-user"
    if request["Type"] == "persistent" and is_interrupted:
        request["State"] = "open"
        request.pop("InstanceId", None)
        set_status(request, "capacity-not-available", now)
        return str(ident)
    request["State"] = "closed"
    set_status(request, code, now)
    return None
