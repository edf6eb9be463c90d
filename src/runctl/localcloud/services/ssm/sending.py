"""Commands are sent, and cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ssm.commands import COMMAND, forget_oldest, told
from runctl.localcloud.services.ssm.documents import check_document
from runctl.localcloud.services.ssm.managed import check_online
from runctl.localcloud.services.ssm.running import INVOCATION, OVER, invocation_id
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

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
    forget_oldest(call)
    return {"Command": told(call, command)}


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
