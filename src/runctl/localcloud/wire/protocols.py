"""The protocol that a caller speaks, read off the request: its service may be one we know not."""

from __future__ import annotations

from runctl.localcloud.http.messages import Request

CBOR = "rpc-v2-cbor"
REST = "rest"
_FORM = "application/x-www-form-urlencoded"


def protocol_of(request: Request) -> str:
    """Return ``rpc-v2-cbor``, ``json``, ``query``, or ``rest`` for one whose path says it all."""
    headers = request.headers
    if headers.get("smithy-protocol") == CBOR:
        return CBOR
    if "x-amz-target" in headers:
        return "json"
    is_form = headers.get("content-type", "").startswith(_FORM)
    return "query" if is_form or "Action=" in request.query else REST


def operation_in_head(request: Request) -> str:
    """Return the operation, if it is said before the body; otherwise nothing."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    return request.path.rpartition("/")[2] if protocol_of(request) == CBOR else ""
