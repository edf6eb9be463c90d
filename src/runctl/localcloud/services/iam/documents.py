"""Policy documents: what AWS refuses when they are handed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from runctl.localcloud.services.iam.conditions import as_texts, compile_conditions
from runctl.localcloud.wire.errors import AwsError

_VERSIONS = ("2012-10-17", "2008-10-17")
_FIELDS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PRINCIPALS = frozenset({"Principal", "NotPrincipal"})
_TRUST_ACTIONS = frozenset({"assumerole", "assumerolewithsaml", "assumerolewithwebidentity",
                            "tagsession", "setsourceidentity", "setcontext", "*"})  # fmt: skip


def encode(document: str) -> str:
    """Write a document as AWS answers it."""
    return quote(document, safe="")


def check_policy(document: str) -> None:
    """Raise what AWS says of an ill-formed policy of a principal."""
    for statement in _statements(document):
        _check_statement(statement, _FIELDS, is_for_principal=True)
        if not {"Resource", "NotResource"} & statement.keys():
            raise malformed("Policy statement must contain resources.")
        for name in ("Resource", "NotResource"):
            _check_resources(as_texts(statement.get(name, [])))


def check_trust(document: str) -> None:
    """Raise what AWS says of an ill-formed trust policy."""
    for statement in _statements(document):
        for name in ("Resource", "NotResource"):
            if name in statement:
                raise malformed(f"Has prohibited field {name}")
        if not _PRINCIPALS & statement.keys():
            raise malformed("Missing required field Principal")
        _check_statement(statement, _FIELDS | _PRINCIPALS, is_for_principal=False)
        _check_trusted(statement.get("Principal", {}))
        for action in as_texts(statement.get("Action", [])):
            vendor, _, verb = action.lower().partition(":")
            if action != "*" and (vendor != "sts" or verb not in _TRUST_ACTIONS):
                raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def check_resource_policy(document: str) -> None:
    """Raise what AWS says of an ill-formed policy of a resource, such as a bucket."""
    for statement in _statements(document):
        if not _PRINCIPALS & statement.keys():
            raise malformed("Missing required field Principal")
        _check_statement(statement, _FIELDS | _PRINCIPALS, is_for_principal=False)


def malformed(words: str) -> AwsError:
    """Make the error of an ill-formed document."""
    return AwsError("MalformedPolicyDocument", words)


def _statements(document: str) -> list[Mapping[str, Any]]:
    try:
        parsed = msgspec.json.decode(document)
    except msgspec.DecodeError as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(parsed, dict) or not parsed.keys() <= {"Version", "Id", "Statement"}:
        raise malformed("Syntax errors in policy.")
    if parsed.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise malformed("The policy must contain a valid version string")
    statements = parsed.get("Statement")
    listed: list[Any] = statements if isinstance(statements, list) else [statements]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise malformed("Syntax errors in policy.")
    _check_sids(listed)
    return listed


def _check_sids(statements: list[Mapping[str, Any]]) -> None:
    sids = [one["Sid"] for one in statements if one.get("Sid")]
    if len(sids) != len(set(sids)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")


def _check_statement(
    statement: Mapping[str, Any], fields: frozenset[str], *, is_for_principal: bool
) -> None:
    if is_for_principal and _PRINCIPALS & statement.keys():
        raise malformed("Policy document should not specify a principal.")
    if not statement.keys() <= fields:
        raise malformed("Syntax errors in policy.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {statement.get('Effect', '')}")
    _check_actions(statement)
    _check_conditions(statement.get("Condition", {}))


def _check_actions(statement: Mapping[str, Any]) -> None:
    actions = as_texts(statement.get("Action", [])) + as_texts(statement.get("NotAction", []))
    if not actions:
        raise malformed("Policy statement must contain actions.")
    if "Action" in statement and "NotAction" in statement:
        raise malformed("Syntax errors in policy.")
    for action in actions:
        vendor, colon, _ = action.partition(":")
        if action != "*" and not colon:
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
        if colon and not re.fullmatch(r"[a-zA-Z0-9.-]+", vendor):
            raise malformed(f"Vendor {vendor} is not valid")


def _check_resources(resources: tuple[str, ...]) -> None:
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise malformed(f'Resource {resource} must be in ARN format or "*".')
        if resource != "*" and resource.count(":") < 5 and not resource.endswith("*"):
            raise malformed("The policy failed legacy parsing")


def _check_conditions(conditions: Any) -> None:
    try:
        compile_conditions(conditions)
    except ValueError as error:
        raise malformed(f"Invalid Condition type : {error}") from error
    except (AttributeError, IndexError) as error:
        raise malformed("Syntax errors in policy.") from error


def _check_trusted(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict):
        raise malformed("Invalid principal in policy")
    for name in as_texts(principal.get("AWS", [])):
        if not re.fullmatch(r"\*|\d{12}|arn:aws:(iam|sts)::\d{12}:.+", name):
            raise malformed(f'Invalid principal in policy: "AWS":"{name}"')
    for name in as_texts(principal.get("Service", [])):
        if "." not in name:
            raise malformed(f'Invalid principal in policy: "SERVICE":"{name}"')
