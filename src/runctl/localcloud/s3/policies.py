"""Policies of buckets: whether a document is one, and whether it makes the bucket public."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runctl.localcloud.s3.errors import S3Error, s3_error
from runctl.localcloud.services.iam.documents import check_resource_policy
from runctl.localcloud.wire.errors import AwsError

_MOST_BYTES = 20 << 10
# "The meaning of public" of the S3 User Guide: these keys narrow a policy down to known callers.
_NARROWING = ("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcearn",
              "aws:sourceaccount", "aws:sourceowner", "aws:principalorgid", "aws:principalarn",
              "aws:principalaccount", "aws:userid", "s3:dataaccesspointarn",
              "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
              )  # fmt: skip


def check_policy(body: bytes, bucket: str) -> str:
    """Return the text of a policy; raise where the document is none."""
    if len(body) > _MOST_BYTES:
        raise _malformed("The policy is too large")
    if not body.lstrip().startswith(b"{"):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    try:
        text = body.decode()
        check_resource_policy(text)
    except UnicodeDecodeError as error:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from error
    except AwsError as error:
        raise _malformed(error.message) from error
    for statement in _statements(text):
        _check_statement(statement, bucket)
    return text


def _check_statement(statement: Mapping[str, Any], bucket: str) -> None:
    """Check what a policy of any other resource may do, and a bucket's may not."""
    resources = [*_listed(statement.get("Resource")), *_listed(statement.get("NotResource"))]
    if not resources:
        raise _malformed("Missing required field Resource")
    own = f"arn:aws:s3:::{bucket}"
    if not all(one in (own, "*") or str(one).startswith(f"{own}/") for one in resources):
        raise _malformed("Policy has invalid resource")
    actions = _listed(statement.get("Action"))
    if not all(one == "*" or str(one).lower().startswith("s3:") for one in actions):
        raise _malformed("Policy has invalid action")


def is_public(text: str) -> bool:
    """Whether a policy allows everybody something, with no condition that narrows it down."""
    return any(
        one.get("Effect") == "Allow" and _is_everybody(one) and not _is_narrow(one)
        for one in _statements(text)
    )


def _is_everybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    return "*" in _listed(principal) or "NotPrincipal" in statement


def _is_narrow(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition") or {}
    keys = {key.lower() for tests in condition.values() for key in tests}
    return not keys.isdisjoint(_NARROWING)


def _statements(text: str) -> list[Any]:
    return _listed(json.loads(text).get("Statement"))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _malformed(words: str) -> S3Error:
    return s3_error("MalformedPolicy", words)
