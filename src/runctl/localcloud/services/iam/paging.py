"""Pages of IAM's lists."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.wire.errors import AwsError

_USUAL = 100


def page(call: Call, member: str, items: list[Any], *, sort_by: str = "") -> dict[str, Any]:
    """Return one page, in the order of a member (of the items themselves, if they are texts)."""
    ordered = sorted(items, key=lambda item: _key(item, sort_by))
    marker = call.get("Marker")
    if marker:
        last = _open(marker)
        ordered = [item for item in ordered if _key(item, sort_by) > last]
    size = int(call.get("MaxItems", _USUAL))
    if len(ordered) <= size:
        return {member: ordered, "IsTruncated": False}
    last = _key(ordered[size - 1], sort_by)
    marker = base64.urlsafe_b64encode(f"after:{last}".encode()).decode()
    return {member: ordered[:size], "IsTruncated": True, "Marker": marker}


def _key(item: Any, sort_by: str) -> str:
    return str(item[sort_by] if sort_by else item)


def _open(marker: str) -> str:
    try:
        head, _, last = base64.urlsafe_b64decode(marker).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        head, last = "", ""
    if head != "after":
        raise AwsError("ValidationError", f"Invalid Marker: {marker}")
    return last
