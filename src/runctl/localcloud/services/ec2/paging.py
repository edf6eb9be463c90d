"""Pages of the describing calls."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_BAD_TOKENS = {
    "pricing": "InvalidNextTokenException",
    "servicequotas": "InvalidPaginationTokenException",
}
"""What services call a token that they did not give, where it is not InvalidNextToken."""


def page(
    call: Call,
    member: str,
    records: list[Record],
    *,
    sort_by: str,
    low: int = 5,
    high: int = 1000,
    default: int | None = None,
) -> dict[str, Any]:
    """Return one page of records, in the order of an id, and the token of the next.

    ``default`` is the length of a page where none is asked for; some calls return everything.

    The token says after which id to go on, so that what comes and goes between two pages makes
    nothing appear twice.
    """
    limit = _limit(call, low, high, default)
    ordered = sorted(records, key=lambda record: str(record[sort_by]))
    token = call.get("NextToken")
    if token:
        last = _open(token, _BAD_TOKENS.get(call.service, "InvalidNextToken"))
        ordered = [record for record in ordered if str(record[sort_by]) > last]
    if limit is None or len(ordered) <= limit:
        return {member: ordered}
    return {member: ordered[:limit], "NextToken": _seal(str(ordered[limit - 1][sort_by]))}


def _limit(call: Call, low: int, high: int, default: int | None) -> int | None:
    limit = call.get("MaxResults")
    if limit is None:
        return default
    if not low <= limit:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {limit} ) for parameter maxResults is invalid. "
            f"Expecting a value greater than {low}.",
        )
    return min(int(limit), high)


def _seal(last: str) -> str:
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode()


def _open(token: str, code: str) -> str:
    try:
        head, _, last = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        head, last = "", ""
    if head != "after":
        raise AwsError(code, f"The token '{token}' is invalid")
    return last
