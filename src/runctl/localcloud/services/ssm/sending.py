"""SendCommand, and what becomes of commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ssm.documents import check_document
from runctl.localcloud.services.ssm.managed import check_online
from runctl.localcloud.services.ssm.running import INVOCATION, OVER, invocation_id, output_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

COMMAND = "command"
_PLUGIN_CHARACTERS = 2500
_FAR_MS = 10**13
_TARGETS: Mapping[str, Filter] = {
    "InstanceIds": path("InstanceId"),
    "instanceids": path("InstanceId"),
}
_LONGEST_S = 172800


@operation("ssm", "SendCommand")
def send_command(call: Call) -> dict[str, Any]:
    """Run a shell script on instances."""
    check_document(call.get("DocumentName"))
    _check_supported(call)
    script, timeout_s, folder = _read_parameters(call.get("Parameters", {}))
    idents = call.get("InstanceIds") or []
    if idents:
        check_online(call, idents)
    elif call.get("Targets"):
        idents = _targeted(call, call.get("Targets"))
    else:
        raise AwsError("InvalidInstanceId", "Instance ids or targets have to be specified.")
    command = _command(call, idents)
    call.table(COMMAND).put(command["CommandId"], command)
    for ident in idents:
        invocation = _invocation(command, ident)
        invocation |= {"_Script": script, "_TimeoutS": timeout_s, "_Folder": folder}
        key = invocation_id(command["CommandId"], ident)
        call.table(INVOCATION).put(key, invocation)
        call.settle(INVOCATION, key)
    return {"Command": _told(call, command)}


def _check_supported(call: Call) -> None:
    if call.get("OutputS3BucketName"):
        raise AwsError(
            "UnsupportedOperation", "The local cloud does not write the output of commands to S3."
        )


def _read_parameters(given: dict[str, list[str]]) -> tuple[str, int, str | None]:
    unknown = set(given) - {"commands", "workingDirectory", "executionTimeout"}
    if unknown or not given.get("commands"):
        words = f"unknown: {', '.join(sorted(unknown))}" if unknown else "commands are missing"
        raise AwsError("InvalidParameters", f"The parameters do not fit the document: {words}")
    text = (given.get("executionTimeout") or ["3600"])[0]
    if not text.isdigit() or not 1 <= int(text) <= _LONGEST_S:
        raise AwsError("InvalidParameters", f"Invalid value of executionTimeout: {text}")
    folder = (given.get("workingDirectory") or [""])[0] or None
    return "\n".join(given["commands"]) + "\n", int(text), folder


def _targeted(call: Call, targets: list[Record]) -> list[str]:
    found = call.table("instance").values()
    for target in targets:
        wanted = {"Name": target["Key"], "Values": target["Values"]}
        try:
            found = apply(_TARGETS, [wanted], found)
        except AwsError as error:
            raise AwsError("InvalidTarget", f"{target['Key']} is no target") from error
    from runctl.localcloud.services.ssm.managed import ping_status  # noqa: PLC0415

    return [
        one["InstanceId"] for one in found if ping_status(call.cloud, call.region, one) == "Online"
    ]


def _command(call: Call, idents: list[str]) -> Record:
    now = call.cloud.clock()
    delivery_s = call.get("TimeoutSeconds", 3600)
    return {
        "CommandId": str(uuid4()),
        "DocumentName": call.get("DocumentName"),
        "DocumentVersion": call.get("DocumentVersion", "$DEFAULT"),
        "Comment": call.get("Comment", ""),
        "Parameters": call.get("Parameters", {}),
        "InstanceIds": call.get("InstanceIds") or [],
        "Targets": call.get("Targets") or [],
        "RequestedDateTime": now,
        "ExpiresAfter": now + delivery_s + 3600,
        "TimeoutSeconds": delivery_s,
        "MaxConcurrency": call.get("MaxConcurrency", "50"),
        "MaxErrors": call.get("MaxErrors", "0"),
        "ServiceRole": call.get("ServiceRoleArn", ""),
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        "TargetCount": len(idents),
        "_Instances": idents,
    }


def _invocation(command: Record, ident: str) -> Record:
    return {
        "CommandId": command["CommandId"],
        "InstanceId": ident,
        "InstanceName": "",
        "Comment": command["Comment"],
        "DocumentName": command["DocumentName"],
        "DocumentVersion": command["DocumentVersion"],
        "PluginName": "aws:runShellScript",
        "RequestedDateTime": command["RequestedDateTime"],
        "Status": "Pending",
        "StatusDetails": "Pending",
        "ResponseCode": -1,
        "_DeliverBefore": command["RequestedDateTime"] + command["TimeoutSeconds"],
    }


def _told(call: Call, command: Record) -> Record:
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
    from datetime import UTC, datetime  # noqa: PLC0415

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
        _told(call, one)
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


@operation("ssm", "CancelCommand")
def cancel_command(call: Call) -> None:
    """Ask for the end of a command, on all of its instances or on some."""
    command = call.table(COMMAND).get(call.get("CommandId"))
    if command is None:
        raise AwsError("InvalidCommandId", "")
    for ident in call.get("InstanceIds") or command["_Instances"]:
        key = invocation_id(command["CommandId"], ident)
        if key not in call.table(INVOCATION):
            raise AwsError("InvalidInstanceId", "")
        invocation = call.table(INVOCATION).edit(key)
        if invocation["Status"] not in OVER:
            invocation["_IsCancelled"] = True
            invocation["StatusDetails"] = "Cancelling"
            call.settle(INVOCATION, key)
