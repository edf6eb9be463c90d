"""Commands: how one stands over all of its instances, and for how long they are known."""

from __future__ import annotations

from runctl.localcloud.api import Call
from runctl.localcloud.services.ssm.running import INVOCATION, OVER, invocation_id
from runctl.localcloud.state.records import Record

COMMAND = "command"
MOST_KEPT = 2000
"""AWS keeps them for 30 days; here they, and what they have printed, are held in memory."""


def told(call: Call, command: Record) -> Record:
    """Return a command with the status that its invocations amount to."""
    table = call.table(INVOCATION)
    keys = [invocation_id(command["CommandId"], ident) for ident in command["_Instances"]]
    found = [one for key in keys if (one := table.get(key)) is not None]
    statuses = [one["Status"] for one in found]
    bad = [one for one in statuses if one in ("Failed", "TimedOut")]
    status = _status_of(statuses)
    return {
        **command,
        "Status": status,
        "StatusDetails": status,
        "CompletedCount": sum(one in OVER for one in statuses),
        "ErrorCount": len(bad),
        "DeliveryTimedOutCount": sum(one["StatusDetails"] == "DeliveryTimedOut" for one in found),
    }


def _status_of(statuses: list[str]) -> str:
    if all(one == "Pending" for one in statuses):
        return "Pending" if statuses else "Success"
    if any(one not in OVER for one in statuses):
        return "InProgress"
    for bad in ("Failed", "TimedOut", "Cancelled"):
        if bad in statuses:
            return bad
    return "Success"


def forget_oldest(call: Call) -> None:
    """Forget the oldest commands, as far as there are too many, and they are over."""
    commands = call.table(COMMAND)
    excess = len(commands) - MOST_KEPT
    if excess <= 0:
        return
    oldest = sorted(commands.values(), key=lambda one: float(one["RequestedDateTime"]))[:excess]
    for command in oldest:
        if told(call, command)["Status"] in OVER:
            for ident in command["_Instances"]:
                call.table(INVOCATION).delete(invocation_id(command["CommandId"], ident))
            commands.delete(command["CommandId"])
