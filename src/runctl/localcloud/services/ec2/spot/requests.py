"""Spot requests: by RunInstances, and by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import price_of
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SPOT_REQUEST, edit, find_all, new_id
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.spot.records import fulfil, request_record, set_status
from runctl.localcloud.services.ec2.tags import tags_in
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

KIND = SPOT_REQUEST.kind
FILTERS: Mapping[str, Filter] = {
    "availability-zone-group": path("AvailabilityZoneGroup"),
    "create-time": path("CreateTime"),
    "instance-id": path("InstanceId"),
    "launch.image-id": path("LaunchSpecification", "ImageId"),
    "launch.instance-type": path("LaunchSpecification", "InstanceType"),
    "launch.key-name": path("LaunchSpecification", "KeyName"),
    "launched-availability-zone": path("LaunchedAvailabilityZone"),
    "product-description": path("ProductDescription"),
    "spot-instance-request-id": path("SpotInstanceRequestId"),
    "spot-price": path("SpotPrice"),
    "state": path("State"),
    "status-code": path("Status", "Code"),
    "type": path("Type"),
    "valid-until": path("ValidUntil"),
}


def make_spot_request(call: Call, instance: Record, options: dict[str, Any]) -> str:
    """Make the request of an instance that RunInstances launches; it is fulfilled at once."""
    check_options(options)
    _check_price(call, instance["InstanceType"], options.get("MaxPrice"))
    ident, now = new_id(SPOT_REQUEST), call.cloud.clock()
    request = request_record(ident, now, options)
    request["LaunchSpecification"] = _launch_of(instance)
    request["_Launch"] = None if request["Type"] == "one-time" else call.parameters
    request["Tags"] = tags_in(call.get("TagSpecifications", []), SPOT_REQUEST)
    fulfil(request, instance, now)
    call.table(KIND).put(ident, request)
    instance |= {"SpotInstanceRequestId": ident, "_Spot": ident}
    return ident


def check_options(options: dict[str, Any]) -> None:
    """Raise what AWS answers to options that do not go together."""
    behaviour = options.get("InstanceInterruptionBehavior", "terminate")
    is_once = (options.get("SpotInstanceType") or "one-time") == "one-time"
    if is_once and behaviour != "terminate":
        raise AwsError(
            "InvalidParameterCombination",
            f"The instance interruption behavior '{behaviour}' is supported only for persistent "
            "Spot Instance requests.",
        )
    if is_once and options.get("ValidUntil"):
        raise AwsError(
            "InvalidParameterCombination",
            "ValidUntil is not supported for one-time Spot Instance requests.",
        )
    if options.get("BlockDurationMinutes"):
        raise AwsError("Unsupported", "Spot blocks are not supported.")


def _check_price(call: Call, kind: str, wanted: str | None) -> None:
    if is_too_low(kind, call.region, wanted):
        raise AwsError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {wanted} is lower than the minimum required Spot request "
            f"fulfillment price of {price_of(kind, call.region, is_spot=True)}.",
        )


def is_too_low(kind: str, region: str, wanted: str | None) -> bool:
    """Whether a price is below the known one; nothing is too low where none is known."""
    if not wanted:
        return False
    try:
        given = Decimal(wanted)
    except InvalidOperation as error:
        raise AwsError("InvalidParameterValue", f"Invalid spot price: {wanted}") from error
    known = price_of(kind, region, is_spot=True)
    return known is not None and given < known


def _launch_of(instance: Record) -> Record:
    return {
        "ImageId": instance["ImageId"],
        "InstanceType": instance["InstanceType"],
        "KeyName": instance.get("KeyName"),
        "SecurityGroups": instance["SecurityGroups"],
        "SubnetId": instance["SubnetId"],
        "EbsOptimized": instance["EbsOptimized"],
        "Placement": {"AvailabilityZone": instance["Placement"]["AvailabilityZone"]},
        "Monitoring": {"Enabled": instance["Monitoring"]["State"] == "enabled"},
    }


@operation("ec2", "RequestSpotInstances")
def request_spot_instances(call: Call) -> dict[str, Any]:
    """Ask for spot instances; each request is answered over time."""
    known = tokens.replay(call)
    if known is not None:
        idents = known.split(" ")
        return {"SpotInstanceRequests": find_all(call, SPOT_REQUEST, idents)}
    options = {
        "SpotInstanceType": call.get("Type"),
        "InstanceInterruptionBehavior": call.get("InstanceInterruptionBehavior", "terminate"),
        "MaxPrice": call.get("SpotPrice"),
    }
    check_options(options)
    launch = call.get("LaunchSpecification", {})
    if not launch.get("ImageId"):
        raise AwsError("MissingParameter", "The request must contain the parameter imageId")
    made = [_add(call, options, launch) for _ in range(call.get("InstanceCount", 1))]
    tokens.remember(call, " ".join(one["SpotInstanceRequestId"] for one in made))
    return {"SpotInstanceRequests": made}


def _add(call: Call, options: dict[str, Any], launch: dict[str, Any]) -> Record:
    ident = new_id(SPOT_REQUEST)
    request = request_record(ident, call.cloud.clock(), options)
    request |= {
        "LaunchSpecification": launch,
        "ValidUntil": call.get("ValidUntil"),
        "Tags": tags_in(call.get("TagSpecifications", []), SPOT_REQUEST),
        "_Launch": launch,
        "_Caller": call.caller.access_key,
    }
    call.table(KIND).put(ident, request)
    call.settle(KIND, ident)
    return request


@operation("ec2", "DescribeSpotInstanceRequests")
def describe_spot_instance_requests(call: Call) -> dict[str, Any]:
    """List spot requests."""
    idents = call.get("SpotInstanceRequestIds")
    found = find_all(call, SPOT_REQUEST, idents) if idents else call.table(KIND).values()
    found = apply(FILTERS, call.get("Filters"), found)
    return page(call, "SpotInstanceRequests", found, sort_by="SpotInstanceRequestId")


@operation("ec2", "CancelSpotInstanceRequests")
def cancel_spot_instance_requests(call: Call) -> dict[str, Any]:
    """Cancel requests; instances that run go on running."""
    answer = []
    for ident in call.get("SpotInstanceRequestIds"):
        request = edit(call, SPOT_REQUEST, ident)
        if request["State"] in ("open", "active", "disabled"):
            is_running = request["State"] == "active"
            code = (
                "request-canceled-and-instance-running"
                if is_running
                else "canceled-before-fulfillment"
            )
            request["State"] = "cancelled"
            set_status(request, code, call.cloud.clock())
        answer.append({"SpotInstanceRequestId": ident, "State": request["State"]})
    return {"CancelledSpotInstanceRequests": answer}


@operation("ec2", "DescribeSpotDatafeedSubscription")
def describe_spot_datafeed_subscription(call: Call) -> None:
    """There is none, and AWS answers that with an error."""
    del call
    raise AwsError("InvalidSpotDatafeed.NotFound", "Spot datafeed subscription does not exist.")
