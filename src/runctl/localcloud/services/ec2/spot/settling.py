"""Spot requests over time: open ones are fulfilled, or told why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.api import Call
from runctl.localcloud.cloud import settles
from runctl.localcloud.identity import Principal
from runctl.localcloud.services.ec2.instances.creation import create_instances
from runctl.localcloud.services.ec2.spot.options import is_too_low
from runctl.localcloud.services.ec2.spot.records import KIND, OVER, end_request, fulfil, set_status
from runctl.localcloud.services.ec2.spot.requests import DEFAULT_TYPE, bind
from runctl.localcloud.services.ec2.spot.resuming import resume
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_HOLDING = {
    "InsufficientHostCapacity": "capacity-not-available",
    "InsufficientInstanceCapacity": "capacity-not-available",
    "MaxSpotInstanceCountExceeded": "capacity-not-available",
    "SpotMaxPriceTooLow": "price-too-low",
    "UnfulfillableCapacity": "capacity-not-available",
    "Unsupported": "constraint-not-fulfillable",
}
"""What keeps a request waiting, by the error of the launch. Everything else ends it."""
_READY = ("pending-fulfillment", "capacity-not-available", "constraint-not-fulfillable")


@settles(KIND)
def settle_spot_request(cloud: Cloud, region: str, ident: str) -> None:
    """Fulfil an open request; one that cannot be fulfilled yet is looked at again."""
    request = cloud.records.peek(KIND, region, ident)
    if request is None:
        return
    if request["State"] in OVER:
        _forget(cloud, region, request)
    elif request["State"] == "disabled":
        resume(cloud, region, request)
    elif request["State"] == "open":
        _advance(cloud, region, request)


def _forget(cloud: Cloud, region: str, request: Record) -> None:
    """Describe a request that is over as long as an instance that has ended, and then no more."""
    ident = request["SpotInstanceRequestId"]
    if cloud.records.peek("instance", region, request.get("InstanceId", "")) is None:
        rest_s = request["_OverSince"] + cloud.pace.keep_terminated_s - cloud.clock()
        if rest_s <= 0:
            with cloud.records.transaction() as transaction:
                transaction.table(KIND, region).delete(ident)
            cloud.jobs.forget(f"{KIND}:{ident}")
            return
    else:
        rest_s = cloud.pace.keep_terminated_s
    cloud.settle_later(rest_s, KIND, region, ident)


# ---------------------------------------------------------------- open


def _advance(cloud: Cloud, region: str, request: Record) -> None:
    now, ident = cloud.clock(), request["SpotInstanceRequestId"]
    rest_s = max(_due(cloud, request), request.get("ValidFrom") or 0.0) - now
    if request.get("ValidUntil") and request["ValidUntil"] <= now:
        _expire(cloud, region, ident)
    elif rest_s > 0:
        if (request.get("ValidFrom") or 0.0) > now:
            _hold(cloud, region, ident, "not-scheduled-yet")
        cloud.settle_later(rest_s, KIND, region, ident)
    elif is_too_low(_kind(request), region, request["_MaxPrice"]):
        _hold(cloud, region, ident, "price-too-low")
        cloud.settle_later(cloud.pace.spot_again_s, KIND, region, ident)
    elif request["Status"]["Code"] not in _READY:
        _hold(cloud, region, ident, "pending-fulfillment")
        cloud.settle_later(cloud.pace.spot_s / 2, KIND, region, ident)
    elif not _is_done(cloud, region, request):
        cloud.settle_later(cloud.pace.spot_again_s, KIND, region, ident)


def _due(cloud: Cloud, request: Record) -> float:
    """Return when a request is evaluated: one that was interrupted waits longer."""
    pace = cloud.pace
    return float(request["_OpenSince"]) + (
        pace.spot_again_s if request.get("_IsAgain") else pace.spot_s / 2
    )


def _kind(request: Record) -> str:
    return str(request["_Launch"].get("InstanceType", DEFAULT_TYPE))


def _expire(cloud: Cloud, region: str, ident: str) -> None:
    with cloud.records.transaction() as transaction:
        request = transaction.table(KIND, region).edit(ident)
        if request["State"] == "open":
            end_request(request, "cancelled", "schedule-expired", cloud.clock())
    cloud.settle_later(0.0, KIND, region, ident)


def _hold(cloud: Cloud, region: str, ident: str, code: str) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table(KIND, region)
        request = table.get(ident)
        is_open = request is not None and request["State"] == "open"
        if request is not None and is_open and request["Status"]["Code"] != code:
            set_status(table.edit(ident), code, cloud.clock())


def _is_done(cloud: Cloud, region: str, request: Record) -> bool:
    """Launch the instance; return whether the request needs no other look."""
    ident = request["SpotInstanceRequestId"]
    try:
        _launch(cloud, region, request)
    except AwsError as error:
        if error.code in _HOLDING:
            _hold(cloud, region, ident, _HOLDING[error.code])
            return False
        _fail(cloud, region, ident, error)
    return True


def _launch(cloud: Cloud, region: str, request: Record) -> None:
    """Make instance and fulfilment in one transaction: a kill leaves both or neither."""
    ident = request["SpotInstanceRequestId"]
    call = call_for(cloud, region, request["_Launch"])
    try:
        with cloud.records.transaction() as call.transaction:
            known = call.table(KIND).get(ident)
            if known is None or known["State"] != "open":
                return  # it was cancelled meanwhile
            edited = call.table(KIND).edit(ident)
            [instance] = create_instances(call, request["_Launch"], 1, spot_request=ident)
            bind(instance, edited)
            fulfil(edited, instance, cloud.clock())
    except BaseException:
        call.take_back()
        raise
    do_afterwards(call)


def call_for(cloud: Cloud, region: str, parameters: Record) -> Call:
    """Return the call by which the cloud itself launches what a request or fleet wants."""
    root = Principal("", cloud.account, f"arn:aws:iam::{cloud.account}:root")
    return Call(cloud, "ec2", "RunInstances", region, root, parameters, "", Transaction({}))


def do_afterwards(call: Call) -> None:
    """Do what a call of the cloud itself has asked for, once it is committed."""
    for work in call.afterwards:
        call.cloud.jobs.soon(work)


def _fail(cloud: Cloud, region: str, ident: str, error: AwsError) -> None:
    with cloud.records.transaction() as transaction:
        request = transaction.table(KIND, region).edit(ident)
        end_request(request, "failed", "bad-parameters", cloud.clock())
        request["Fault"] = {"Code": error.code, "Message": error.message}
    cloud.settle_later(0.0, KIND, region, ident)
