"""The form of a spot request, and its states."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.state.records import Record

# Words of AWS, by status code.
MESSAGES = {
    "pending-evaluation": "Your Spot request has been submitted for review, and is pending "
    "evaluation.",
    "pending-fulfillment": "Your Spot request is pending fulfillment.",
    "fulfilled": "Your spot request is fulfilled.",
    "capacity-not-available": "There is no Spot capacity available that matches your request.",
    "price-too-low": "Your maximum price is lower than the minimum required Spot request "
    "fulfillment price.",
    "marked-for-termination": "This spot instance is marked for termination.",
    "marked-for-stop": "This spot instance is marked for stop.",
    "instance-terminated-no-capacity": "Your Spot instance was terminated because there is no "
    "longer enough Spot capacity available.",
    "instance-stopped-no-capacity": "Your Spot instance was stopped because there is no longer "
    "enough Spot capacity available.",
    "instance-terminated-by-user": "Spot Instance terminated due to user-initiated termination.",
    "request-canceled-and-instance-running": "Your Spot request is canceled, but your instance "
    "is still running.",
    "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
    "bad-parameters": "Your Spot request failed due to bad parameters.",
}


def set_status(request: Record, code: str, now: float, words: str | None = None) -> None:
    """Give a request a status."""
    request["Status"] = {"Code": code, "Message": words or MESSAGES[code], "UpdateTime": now}


def request_record(ident: str, now: float, options: dict[str, Any]) -> Record:
    """Return a request that is open. ``options`` have the form of SpotOptions."""
    record: Record = {
        "SpotInstanceRequestId": ident,
        "CreateTime": now,
        "State": "open",
        "Type": options.get("SpotInstanceType") or "one-time",
        "InstanceInterruptionBehavior": options.get("InstanceInterruptionBehavior", "terminate"),
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": options.get("MaxPrice") or "",
        "ValidUntil": options.get("ValidUntil"),
        "LaunchSpecification": {},
        "Tags": [],
    }
    set_status(record, "pending-evaluation", now)
    return record


def fulfil(request: Record, instance: Record, now: float) -> None:
    """Record that an instance was launched for a request."""
    request |= {
        "State": "active",
        "InstanceId": instance["InstanceId"],
        "LaunchedAvailabilityZone": instance["Placement"]["AvailabilityZone"],
    }
    set_status(request, "fulfilled", now)
