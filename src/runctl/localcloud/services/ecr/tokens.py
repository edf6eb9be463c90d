"""Passwords for the registry: who they are given to, and until when, is written in them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from runctl.localcloud.api import Call, operation

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

USER = "AWS"
_LIFE_S = 12 * 3600.0
_DIGEST_BYTES = 32


class Pass(msgspec.Struct, frozen=True):
    """Whom a password was given to."""

    access_key: str
    arn: str
    expires: float


def make_password(cloud: Cloud, access_key: str, arn: str, expires: float) -> str:
    """Return a password that nobody else can make, and that nothing has to remember."""
    body = msgspec.json.encode(Pass(access_key, arn, expires))
    return base64.urlsafe_b64encode(_sign(cloud, body) + body).decode()


def read_password(cloud: Cloud, text: str) -> Pass | None:
    """Return whom a password was given to; None where it is none of ours, or over."""
    try:
        data = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if not hmac.compare_digest(digest, _sign(cloud, body)):
        return None
    found = msgspec.json.decode(body, type=Pass)
    return found if found.expires > cloud.clock() else None


def _sign(cloud: Cloud, body: bytes) -> bytes:
    return hmac.new(f"ecr:{cloud.place.stamp.token}".encode(), body, hashlib.sha256).digest()


@operation("ecr", "GetAuthorizationToken")
def get_authorization_token(call: Call) -> dict[str, Any]:
    """Return a password with which the caller can log in for twelve hours, and where."""
    expires = call.cloud.clock() + _LIFE_S
    password = make_password(call.cloud, call.caller.access_key, call.caller.arn, expires)
    accounts = call.get("registryIds") or [call.cloud.account]
    address = call.cloud.registry.address
    return {
        "authorizationData": [
            {
                "authorizationToken": base64.b64encode(f"{USER}:{password}".encode()).decode(),
                "expiresAt": expires,
                "proxyEndpoint": address(account, call.region),
            }
            for account in accounts
        ]
    }


@operation("ecr", "DescribeRegistry")
def describe_registry(call: Call) -> dict[str, Any]:
    """Describe the registry: it is replicated nowhere."""
    return {"registryId": call.cloud.account, "replicationConfiguration": {"rules": []}}
