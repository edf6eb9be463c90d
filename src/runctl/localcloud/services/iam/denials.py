"""How each service says that somebody may not do something."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from runctl.localcloud.identity import Principal
from runctl.localcloud.services.iam.policies import Ask, Decision
from runctl.localcloud.services.iam.rights import Verdict
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_JSON = frozenset({"ecr", "pricing", "servicequotas", "ssm"})
_SIGNED_BYTES = 16


def denial(cloud: Cloud, service: str, who: Principal, ask: Ask, verdict: Verdict) -> AwsError:
    """Make the error of a service for what a principal may not do."""
    resource = f'"{ask.resource}"' if service == "s3" else ask.resource
    words = (
        f"User: {who.arn} is not authorized to perform: {ask.action} on resource: {resource} "
        f"{verdict.reason(ask.action)}"
    )
    if service == "ec2":
        secret = encode(cloud, _report(who, ask, verdict))
        return AwsError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. {words}. Encoded authorization "
            f"failure message: {secret}",
            403,
        )
    if service in _JSON:
        return AwsError("AccessDeniedException", words, 400)
    return AwsError("AccessDenied", words, 403)


def _report(who: Principal, ask: Ask, verdict: Verdict) -> Mapping[str, Any]:
    conditions = [
        {"key": key, "values": {"items": [{"value": value} for value in values]}}
        for key, values in ask.context.items()
    ]
    return {
        "allowed": False,
        "explicitDeny": verdict.decision is Decision.DENIED,
        "matchedStatements": {"items": []},
        "failures": {"items": []},
        "context": {
            "principal": {"id": who.user_id, "arn": who.arn},
            "action": ask.action,
            "resource": ask.resource,
            "conditions": {"items": conditions},
        },
    }


def encode(cloud: Cloud, report: Mapping[str, Any]) -> str:
    """Write a report so that only this cloud's STS reads it."""
    data = zlib.compress(msgspec.json.encode(report))
    return base64.urlsafe_b64encode(_sign(cloud, data) + data).decode().rstrip("=")


def decode(cloud: Cloud, message: str) -> str:
    """Read a report; raise STS's error for what is none."""
    try:
        sealed = base64.urlsafe_b64decode(message + "=" * (-len(message) % 4))
        signature, data = sealed[:_SIGNED_BYTES], sealed[_SIGNED_BYTES:]
        if hmac.compare_digest(signature, _sign(cloud, data)):
            return zlib.decompress(data).decode()
    except (binascii.Error, ValueError):
        pass  # not even in the form of a message
    raise AwsError(
        "InvalidAuthorizationMessageException", "The input authorization message is invalid."
    )


def _sign(cloud: Cloud, data: bytes) -> bytes:
    key = cloud.place.stamp.token.encode()
    return hmac.new(key, data, hashlib.sha256).digest()[:_SIGNED_BYTES]
