"""What a call that a fault hits is answered, in the words of its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.faults.orders import Order
from runctl.localcloud.services.iam.denials import denial
from runctl.localcloud.services.iam.policies import Ask, Decision
from runctl.localcloud.services.iam.rights import Verdict
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

_THROTTLED = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "iam": ("Throttling", "Rate exceeded", 400),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "servicequotas": ("TooManyRequestsException", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
}
_STATUSES = {
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "Unavailable": 503,
    "InsufficientInstanceCapacity": 500,
    "AccessDenied": 403,
    "UnauthorizedOperation": 403,
}
_REFUSED = {
    "InsufficientHostCapacity": "There is not enough capacity to fulfill your Dedicated Host "
    "request.",
    "InsufficientReservedInstanceCapacity": "There is not enough capacity available to fulfill "
    "your Reserved Instance request.",
    "InstanceLimitExceeded": "You have requested more instances than your current instance limit "
    "allows for the specified instance type.",
    "MaxSpotInstanceCountExceeded": "Max spot instance count exceeded",
    "SpotMaxPriceTooLow": "Your Spot request price is lower than the minimum required Spot "
    "request fulfillment price.",
    "UnfulfillableCapacity": "There is not enough capacity to fulfill your request.",
    "VcpuLimitExceeded": "You have requested more vCPU capacity than your current vCPU limit "
    "allows for the instance bucket that the specified instance type belongs to. Please visit "
    "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
}


def throttled(service: str) -> AwsError:
    """Make the error of a service that is asked too often."""
    return AwsError(*_THROTTLED.get(service, ("ThrottlingException", "Rate exceeded", 400)))


def wanted(order: Order) -> AwsError:
    """Make the error that an order spells out."""
    code = order.code or "InternalError"
    message = order.message or "A fault that was asked for."
    return AwsError(code, message, order.status or _STATUSES.get(code, 400))


def denied(call: Call) -> AwsError:
    """Make the error that the service of a call answers to one who may not do it."""
    ask = Ask(f"{call.service}:{call.operation}", "*", {})
    return denial(call.cloud, call.service, call.caller, ask, Verdict(Decision.DENIED))


def no_capacity(order: Order, zone: str, instance_type: str, *, is_spot: bool) -> AwsError:
    """Make the error of an instance type that cannot be had in a zone."""
    code = order.code or "InsufficientInstanceCapacity"
    if code != "InsufficientInstanceCapacity":
        return AwsError(code, order.message or _REFUSED[code])
    words = (
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone "
        f"you requested ({zone}). Our system will be working on provisioning additional capacity. "
        f"You can currently get {instance_type} capacity by not specifying an Availability Zone "
        "in your request or choosing another Availability Zone."
    )
    if is_spot:
        words = "There is no Spot capacity available that matches your request."
    return AwsError(code, order.message or words, 500)
