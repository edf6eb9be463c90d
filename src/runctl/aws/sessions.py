"""Sessions of Systems Manager: started and ended here, spoken by AWS's own plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runctl.aws.account import Account
from runctl.aws.commands import unreachable
from runctl.aws.errors import translated
from runctl.errors import RunctlError

PORTS = "AWS-StartPortForwardingSession"
_TOLD = ("SessionId", "TokenValue", "StreamUrl")


@dataclass(frozen=True)
class StartedSession:
    """What the plugin is told, in the words of AWS's command line; ``secret`` opens the session."""

    session_id: str
    secret: str
    rest: tuple[str, ...]


@contextmanager
def started_session(
    account: Account,
    instance_id: str,
    document: str | None = None,
    parameters: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[StartedSession]:
    """Start a session, by the account's own shell document unless one is named; end it after.

    Raises TransportError where the instance is not connected.
    """
    asked: dict[str, Any] = {"Target": instance_id}
    if document is not None:
        asked |= {"DocumentName": document, "Parameters": dict(parameters or {})}
    ssm = account.client("ssm")
    told = _start(account, instance_id, asked)
    secret = json.dumps({name: told[name] for name in _TOLD})
    rest = (account.region, "StartSession", account.profile or "", json.dumps(asked))
    try:
        yield StartedSession(told["SessionId"], secret, (*rest, account.endpoint("ssm")))
    finally:
        with suppress(ClientError, BotoCoreError):  # it ends by itself, only later
            ssm.terminate_session(SessionId=told["SessionId"])


def _start(account: Account, instance_id: str, asked: Mapping[str, Any]) -> Mapping[str, str]:
    try:
        with translated(f"no session can be started on {instance_id}"):
            told: Mapping[str, str] = account.client("ssm").start_session(**asked)
            return told
    except RunctlError as error:
        if error.details.get("aws_code") != "TargetNotConnected":
            raise
        raise unreachable(account, instance_id, "is not connected there") from error
