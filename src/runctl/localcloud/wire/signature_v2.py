"""Signature Version 2 of links to objects, which boto3 still makes where a region allows it.

Source: "Signing and authenticating REST requests (AWS Signature Version 2)" of the Amazon S3 user
guide. Only links are: headers of this version are made by nobody any more.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from runctl.localcloud.http.messages import Request
from runctl.localcloud.wire.errors import AwsError

_SUBRESOURCES = frozenset({
    "accelerate", "acl", "cors", "delete", "lifecycle", "location", "logging", "notification",
    "partNumber", "policy", "requestPayment", "restore", "select", "select-type", "tagging",
    "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says of its signature; nothing of it is verified yet."""

    access_key: str
    signature: str
    expires: int
    """Seconds since 1970."""
    token: str | None


def link_of(request: Request) -> Link | None:
    """Read the signature off the query; None for a request that has none of this version."""
    if "AWSAccessKeyId=" not in request.query:
        return None
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        return Link(
            given["AWSAccessKeyId"],
            given["Signature"],
            int(given["Expires"]),
            given.get("x-amz-security-token"),
        )
    except (KeyError, ValueError) as error:
        raise AwsError(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters",
            403,
        ) from error


def verify_link(request: Request, link: Link, secret: str, now: float) -> None:
    """Raise what S3 answers to a link that is wrong, or too old."""
    if now > link.expires:
        raise AwsError("AccessDenied", "Request has expired", 403)
    digest = hmac.new(secret.encode(), _text(request, link).encode(), "sha1").digest()
    if not hmac.compare_digest(base64.b64encode(digest).decode(), link.signature):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            403,
        )


def _text(request: Request, link: Link) -> str:
    headers = request.headers
    lines = [
        request.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        str(link.expires),
        *_amazon_headers(request, link),
        _resource(request),
    ]
    return "\n".join(lines)


def _amazon_headers(request: Request, link: Link) -> list[str]:
    found = {name: one for name, one in request.headers.items() if name.startswith("x-amz-")}
    if link.token is not None:
        found["x-amz-security-token"] = link.token
    return [f"{name}:{' '.join(found[name].split())}" for name in sorted(found)]


def _resource(request: Request) -> str:
    parts = [part.partition("=") for part in request.query.split("&")]
    known = sorted(
        f"{name}={unquote(value)}" if equals else name
        for name, equals, value in parts
        if name in _SUBRESOURCES
    )
    return f"{request.path}?{'&'.join(known)}" if known else request.path
