"""ACLs, of which there is one: full control for the owner, of whose buckets all objects are."""

from __future__ import annotations

from collections.abc import Mapping

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange
from runctl.localcloud.s3.reading import find

_OWNERS_ALONE = ("private", "bucket-owner-full-control")


def check_acl(headers: Mapping[str, str]) -> None:
    """Raise where a request asks for an ACL: buckets with BucketOwnerEnforced allow none."""
    has_grants = any(name.startswith("x-amz-grant-") for name in headers)
    if has_grants or headers.get("x-amz-acl", "private") not in _OWNERS_ALONE:
        raise s3_error("AccessControlListNotSupported", "The bucket does not allow ACLs")


def get_acl(exchange: Exchange) -> Response:
    """Return the ACL that everything has: the owner's full control."""
    if exchange.address.key:
        find(exchange)
    _, owner = exchange.settings, exchange.s3.owner_id
    grantee = (
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="CanonicalUser"><ID>{owner}</ID></Grantee>'
    )
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<AccessControlPolicy xmlns="{xml.NAMESPACE}">'
        f"<Owner><ID>{owner}</ID></Owner><AccessControlList><Grant>{grantee}"
        "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
    )
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


def put_object_acl(exchange: Exchange) -> Response:
    """Accept the ACL that an object has anyway, and no other."""
    find(exchange)
    exchange.document()
    check_acl(exchange.headers)
    return Response(200)
