"""The form of a spot request, its states and status codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runctl.localcloud.data import price_of
from runctl.localcloud.services.ec2.idents import SPOT_REQUEST
from runctl.localcloud.state.records import Record

KIND = SPOT_REQUEST.kind
OVER = ("cancelled", "closed", "failed")
"""The states from which a request never comes back."""
MESSAGES = {
    "pending-evaluation": "Your Spot request has been submitted for review, and is pending "
    "evaluation.",
    "not-scheduled-yet": "Your Spot request will not be evaluated until its scheduled time.",
    "pending-fulfillment": "Your Spot request is pending fulfillment.",
    "fulfilled": "Your spot request is fulfilled.",
    "capacity-not-available": "There is no Spot capacity available that matches your request.",
    "price-too-low": "Your maximum price is lower than the minimum required Spot request "
    "fulfillment price.",
    "constraint-not-fulfillable": "Your Spot request can't be fulfilled because one or more "
    "constraints are not valid.",
    "schedule-expired": "Your Spot request expired before it was fulfilled.",
    "marked-for-termination": "This spot instance is marked for termination.",
    "marked-for-stop": "This spot instance is marked for stop.",
    "instance-terminated-by-price": "Your Spot instance was terminated because the Spot price "
    "exceeds your maximum price.",
    "instance-terminated-no-capacity": "Your Spot instance was terminated because there is no "
    "longer enough Spot capacity available.",
    "instance-stopped-by-price": "Your Spot instance was stopped because the Spot price exceeds "
    "your maximum price.",
    "instance-stopped-no-capacity": "Your Spot instance was stopped because there is no longer "
    "enough Spot capacity available.",
    "instance-stopped-by-user": "Your Spot instance was stopped by you.",
    "instance-terminated-by-user": "Spot Instance terminated due to user-initiated termination.",
    "request-canceled-and-instance-running": "Your Spot request is canceled, but your instance "
    "is still running.",
    "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
    "bad-parameters": "Your Spot request failed due to bad parameters.",
    "system-error": "There was an unexpected system error.",
}
"""AWS's words, by status code."""


def set_status(request: Record, code: str, now: float, words: str | None = None) -> None:
    """Give a request a status."""
    request["Status"] = {"Code": code, "Message": words or MESSAGES[code], "UpdateTime": now}


def end_request(request: Record, state: str, code: str, now: float) -> None:
    """Put a request in a state from which it does not come back."""
    request |= {"State": state, "_OverSince": now}
    set_status(request, code, now)


def request_record(
    ident: str, now: float, options: dict[str, Any], *, kind: str, region: str
) -> Record:
    """Return a request that is open. ``options`` have the form of SpotOptions."""
    record: Record = {
        "SpotInstanceRequestId": ident,
        "CreateTime": now,
        "State": "open",
        "Type": options.get("SpotInstanceType") or "one-time",
        "InstanceInterruptionBehavior": options.get("InstanceInterruptionBehavior") or "terminate",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": _told_price(options.get("MaxPrice"), kind, region),
        "ValidUntil": options.get("ValidUntil"),
        "LaunchSpecification": {},
        "Tags": [],
        "_MaxPrice": options.get("MaxPrice"),
        "_OpenSince": now,
        "_Launch": None,
    }
    set_status(record, "pending-evaluation", now)
    return record


def _told_price(wanted: str | None, kind: str, region: str) -> str | None:
    """Return the highest price: where none is asked for the one on demand, if it is known."""
    price = Decimal(wanted) if wanted else price_of(kind, region, is_spot=False)
    return None if price is None else f"{price:.6f}"


def fulfil(request: Record, instance: Record, now: float) -> None:
    """Record that an instance runs for a request."""
    request |= {
        "State": "active",
        "InstanceId": instance["InstanceId"],
        "LaunchedAvailabilityZone": instance["Placement"]["AvailabilityZone"],
    }
    set_status(request, "fulfilled", now)


def reopen(request: Record, code: str, now: float) -> None:
    """Open a persistent request again, whose instance has ended."""
    request |= {"State": "open", "_OpenSince": now, "_IsAgain": True}
    for name in ("InstanceId", "LaunchedAvailabilityZone"):
        request.pop(name, None)
    set_status(request, code, now)
