"""Sessions: they are started and ended as on AWS, and their channel leads nowhere."""

from __future__ import annotations

from secrets import token_hex, token_urlsafe
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ssm.managed import is_online
from runctl.localcloud.wire.errors import AwsError

SESSION = "session"
MOST_KEPT = 200
_DOCUMENTS = frozenset({
    "SSM-SessionManagerRunShell", "AWS-StartInteractiveCommand", "AWS-StartPortForwardingSession",
    "AWS-StartPortForwardingSessionToRemoteHost", "AWS-StartSSHSession",
})  # fmt: skip


@operation("ssm", "StartSession")
def start_session(call: Call) -> dict[str, Any]:
    """Start a session with an instance whose agent answers."""
    target, document = call.get("Target"), call.get("DocumentName", "SSM-SessionManagerRunShell")
    if document.rpartition("/")[2] not in _DOCUMENTS:
        raise AwsError("InvalidDocument", f"Document with name {document} does not exist.")
    if not is_online(call, target):
        raise AwsError("TargetNotConnected", f"{target} is not connected.")
    who = call.caller.arn.rpartition("/")[2].rpartition(":")[2]
    ident = f"{who}-{token_hex(9)[:17]}"
    sessions = call.table(SESSION)
    for oldest in sessions.values()[: 1 - MOST_KEPT]:
        sessions.delete(oldest["SessionId"])
    sessions.put(ident, {"SessionId": ident, "Target": target, "StartDate": call.cloud.clock()})
    return _channel(ident)


@operation("ssm", "ResumeSession")
def resume_session(call: Call) -> dict[str, Any]:
    """Give a session that has not ended another token."""
    ident = call.get("SessionId")
    if call.table(SESSION).get(ident) is None:
        raise AwsError("DoesNotExistException", f"Session {ident} does not exist.")
    return _channel(ident)


@operation("ssm", "TerminateSession")
def terminate_session(call: Call) -> dict[str, Any]:
    """End a session for good; one that is not there is ended already."""
    ident = call.get("SessionId")
    if call.table(SESSION).get(ident) is not None:
        call.table(SESSION).delete(ident)
    return {"SessionId": ident}


def _channel(ident: str) -> dict[str, Any]:
    return {
        "SessionId": ident,
        "TokenValue": token_urlsafe(96),
        # The port of nobody: what speaks the channel is not there.
        "StreamUrl": f"wss://127.0.0.1:9/v1/data-channel/{ident}?role=publish_subscribe",
    }
