"""Client tokens: the same request twice makes one thing, and gets one answer."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from runctl.localcloud.api import Call
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

KIND = "client-token"


def replay(call: Call) -> str | None:
    """Return the id of what this token has made before; None for a new token, or none at all.

    The same token with other parameters is AWS's IdempotentParameterMismatch.
    """
    known = _find(call)
    if known is None:
        return None
    if known["Digest"] != _digest(call.parameters):
        raise AwsError(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in "
            "previous request(s).",
        )
    return str(known["Id"])


def remember(call: Call, ident: str) -> None:
    """Remember what this call's token has made."""
    token = call.get("ClientToken")
    if token:
        record = {"Id": ident, "Digest": _digest(call.parameters), "Time": call.cloud.clock()}
        call.table(KIND).put(f"{call.operation}:{token}", record)


def _find(call: Call) -> Record | None:
    token = call.get("ClientToken")
    return call.table(KIND).get(f"{call.operation}:{token}") if token else None


def _digest(parameters: dict[str, Any]) -> str:
    told = {key: value for key, value in parameters.items() if key != "DryRun"}
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()
