"""Pages of ECR's lists, whose parameters begin with a small letter."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ecr.errors import invalid
from runctl.localcloud.state.records import Record

_USUAL = 100


def page(call: Call, member: str, records: list[Record], *, sort_by: str) -> dict[str, Any]:
    """Return one page, in the order of a member, and the token of the next."""
    ordered = sorted(records, key=lambda record: str(record[sort_by]))
    token = call.get("nextToken")
    if token:
        last = _open(token)
        ordered = [record for record in ordered if str(record[sort_by]) > last]
    limit = int(call.get("maxResults", _USUAL))
    if len(ordered) <= limit:
        return {member: ordered}
    return {member: ordered[:limit], "nextToken": _seal(str(ordered[limit - 1][sort_by]))}


def _seal(last: str) -> str:
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode()


def _open(token: str) -> str:
    try:
        head, _, last = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        head, last = "", ""
    if head != "after":
        raise invalid("nextToken", "Invalid token")
    return last
