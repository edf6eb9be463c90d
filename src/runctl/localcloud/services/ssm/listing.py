"""What becomes of commands: one on one instance, and lists of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ssm.commands import COMMAND, told
from runctl.localcloud.services.ssm.running import INVOCATION, invocation_id, output_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_PLUGIN_CHARACTERS = 2500
_FAR_MS = 10**13


@operation("ssm", "GetCommandInvocation")
def get_command_invocation(call: Call) -> dict[str, Any]:
    """Return how a command went on one instance."""
    key = invocation_id(call.get("CommandId"), call.get("InstanceId"))
    found = call.table(INVOCATION).get(key)
    is_hidden = (
        found is not None
        and call.cloud.clock() - found["RequestedDateTime"] < call.cloud.pace.command_hidden_s
    )
    if found is None or is_hidden:
        raise AwsError("InvocationDoesNotExist", "")
    return {
        **found,
        "StandardOutputContent": found.get("_Output", ""),
        "StandardErrorContent": found.get("_Error", ""),
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "ExecutionStartDateTime": _iso(found.get("_Started")),
        "ExecutionEndDateTime": _iso(found.get("_Ended")),
        "ExecutionElapsedTime": _elapsed(found),
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


def _iso(moment: float | None) -> str:
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _elapsed(found: Record) -> str:
    if found.get("_Ended") is None or found.get("_Started") is None:
        return ""
    return f"PT{found['_Ended'] - found['_Started']:.3f}S"


@operation("ssm", "ListCommands")
def list_commands(call: Call) -> dict[str, Any]:
    """List commands, the newest first."""
    wanted, ident = call.get("CommandId"), call.get("InstanceId")
    found = [
        told(call, one)
        for one in call.table(COMMAND).values()
        if wanted in (None, one["CommandId"]) and (ident is None or ident in one["_Instances"])
    ]
    if wanted is not None and not found:
        raise AwsError("InvalidCommandId", "")
    for one in call.get("Filters") or ():
        if one["key"] == "Status":
            found = [command for command in found if command["Status"] == one["value"]]
    ordered = [{**one, "_Order": _age(one, one["CommandId"])} for one in found]
    return page(call, "Commands", ordered, sort_by="_Order", low=1, high=50)


@operation("ssm", "ListCommandInvocations")
def list_command_invocations(call: Call) -> dict[str, Any]:
    """List how commands went, by command or by instance, the newest first."""
    command, ident = call.get("CommandId"), call.get("InstanceId")
    found = [
        _with_plugins(one) if call.get("Details") else one
        for one in call.table(INVOCATION).values()
        if command in (None, one["CommandId"]) and ident in (None, one["InstanceId"])
    ]
    for wanted in call.get("Filters") or ():
        if wanted["key"] == "Status":
            found = [one for one in found if one["Status"] == wanted["value"]]
    ordered = [
        {**one, "_Order": _age(one, f"{one['CommandId']}{one['InstanceId']}")} for one in found
    ]
    return page(call, "CommandInvocations", ordered, sort_by="_Order", low=1, high=50)


def _age(found: Record, ident: str) -> str:
    """Return what sorts the newest first."""
    return f"{_FAR_MS - round(found['RequestedDateTime'] * 1000):014d} {ident}"


def _with_plugins(found: Record) -> Record:
    plugin = {
        "Name": found["PluginName"],
        "Status": found["Status"],
        "StatusDetails": found["StatusDetails"],
        "ResponseCode": found["ResponseCode"],
        "ResponseStartDateTime": found.get("_Started"),
        "ResponseFinishDateTime": found.get("_Ended"),
        "Output": output_of(found)[:_PLUGIN_CHARACTERS],
    }
    return {**found, "CommandPlugins": [plugin]}
