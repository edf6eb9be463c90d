"""RunInstances."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.instances.creation import create_instances
from runctl.localcloud.services.ec2.instances.describing import reservations_of
from runctl.localcloud.services.ec2.instances.telling import told
from runctl.localcloud.services.ec2.launchtemplates import resolve
from runctl.localcloud.services.ec2.spot.options import check_market
from runctl.localcloud.services.ec2.spot.requests import make_spot_request
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

MOST = 1000


@operation("ec2", "RunInstances")
def run_instances(call: Call) -> dict[str, Any]:
    """Launch instances: as many as asked for, or none."""
    known = tokens.replay(call)
    if known is not None:
        return _reservation(call, known)
    parameters = _parameters(call)
    count = _count(call)
    market = parameters.get("InstanceMarketOptions")
    options = check_market(market) if market is not None else None
    instances = create_instances(call, parameters, count, is_spot=options is not None)
    if options is not None:
        for instance in instances:
            make_spot_request(call, instance, options, parameters)
    reservation = instances[0]["_ReservationId"]
    tokens.remember(call, reservation)
    return _reservation(call, reservation)


def _parameters(call: Call) -> dict[str, Any]:
    template = call.get("LaunchTemplate")
    if template is None:
        return call.parameters
    return {**resolve(call, template), **call.parameters}


def _count(call: Call) -> int:
    low, high = int(call.get("MinCount")), int(call.get("MaxCount"))
    if low < 1:
        raise AwsError("InvalidParameterValue", f"Value ({low}) for parameter minCount is invalid.")
    if high < low:
        raise AwsError(
            "InvalidParameterValue", f"Value ({high}) for parameter maxCount is invalid."
        )
    if high > MOST:
        raise AwsError(
            "InstanceLimitExceeded",
            f"You have requested more instances ({high}) than your limit of {MOST} allows.",
        )
    return high


def _reservation(call: Call, ident: str) -> Record:
    found = [one for one in call.table("instance").values() if one["_ReservationId"] == ident]
    if not found:
        raise AwsError(
            "IdempotentInstanceTerminated",
            "The request token is associated with an instance that is terminated already.",
        )
    ordered = sorted(map(told, found), key=lambda one: one["AmiLaunchIndex"])
    return {**reservations_of(ordered)[0], "Groups": []}
