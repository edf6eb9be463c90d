"""Requests follow their instances: what a stop, a start and an end mean for them."""

from __future__ import annotations

from runctl.localcloud.services.ec2.spot.records import (
    KIND,
    OVER,
    end_request,
    reopen,
    set_status,
)
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

NOTICES = ("_SpotAction", "_SpotCause", "_RebalanceNotice")


def _request(transaction: Transaction, region: str, instance: Record) -> Record | None:
    """Return the request of an instance, to read."""
    ident = instance.get("SpotInstanceRequestId")
    return transaction.table(KIND, region).get(ident) if ident else None


def _cause(instance: Record) -> str:
    """Return the last part of the status: who ended or stopped the instance."""
    code = instance.get("StateReason", {}).get("Code", "")
    if code.startswith("Server.Spot"):
        return str(instance.get("_SpotCause") or "no-capacity")
    return "" if code.startswith("Server.") else "by-user"


# ---------------------------------------------------------------- stop and start


def check_stoppable(transaction: Transaction, region: str, instance: Record) -> None:
    """Raise for a spot instance that a user may not stop."""
    request = _request(transaction, region, instance)
    if request is None:
        return
    ident = instance["InstanceId"]
    if request["Type"] == "one-time":
        raise AwsError(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{ident}' because it is associated with a one-time "
            "Spot Instance request. You can only stop Spot Instances associated with persistent "
            "Spot Instance requests.",
        )
    if request["State"] in OVER:
        raise _wrong_state(ident, "stop")


def follow_stopping(transaction: Transaction, region: str, instance: Record, now: float) -> None:
    """A user stops an instance: its request says so until it has stopped."""
    request = _request(transaction, region, instance)
    if request is not None and request["State"] == "active":
        edited = transaction.table(KIND, region).edit(request["SpotInstanceRequestId"])
        set_status(edited, "marked-for-stop", now)


def follow_stop(transaction: Transaction, region: str, instance: Record, now: float) -> str | None:
    """An instance has stopped: its request is disabled; return it if EC2 is to start it again."""
    request = _request(transaction, region, instance)
    if request is None or request["State"] != "active":
        return None
    ident = str(request["SpotInstanceRequestId"])
    edited = transaction.table(KIND, region).edit(ident)
    edited |= {"State": "disabled", "_OpenSince": now}
    cause = _cause(instance)
    set_status(edited, f"instance-stopped-{cause}" if cause else "system-error", now)
    for name in NOTICES:
        instance.pop(name, None)
    return None if cause in ("", "by-user") else ident


def check_startable(transaction: Transaction, region: str, instance: Record) -> None:
    """Raise for a stopped spot instance that is not the user's to start."""
    request = _request(transaction, region, instance)
    if request is None:
        return
    allowed = ("instance-stopped-by-user", "system-error")
    if request["State"] != "disabled" or request["Status"]["Code"] not in allowed:
        raise _wrong_state(instance["InstanceId"], "start")


def follow_start(transaction: Transaction, region: str, instance: Record, now: float) -> None:
    """A stopped instance starts: its request is active again."""
    request = _request(transaction, region, instance)
    if request is not None and request["State"] == "disabled":
        edited = transaction.table(KIND, region).edit(request["SpotInstanceRequestId"])
        edited["State"] = "active"
        set_status(edited, "fulfilled", now)


def _wrong_state(ident: str, verb: str) -> AwsError:
    return AwsError(
        "IncorrectSpotRequestState",
        f"You can't {verb} the Spot Instance '{ident}' because the associated Spot Instance "
        f"request is not in an appropriate state to support {verb}.",
    )


# ---------------------------------------------------------------- the end


def follow_end(transaction: Transaction, region: str, instance: Record, now: float) -> str | None:
    """An instance has ended; return the id of its request, which is to be settled."""
    request = _request(transaction, region, instance)
    if request is None or instance["InstanceId"] != request.get("InstanceId"):
        return None
    ident = str(request["SpotInstanceRequestId"])
    edited = transaction.table(KIND, region).edit(ident)
    cause = _cause(instance)
    code = f"instance-terminated-{cause}" if cause else "system-error"
    if request["State"] in OVER:
        edited["_OverSince"] = now
        set_status(edited, code, now)
    elif request["Type"] == "persistent" and cause:
        reopen(edited, "pending-evaluation" if cause == "by-user" else code, now)
    else:
        end_request(edited, "closed", code, now)
    return ident
