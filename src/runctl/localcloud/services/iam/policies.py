"""Policies: what a document says of one action on one resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from runctl.localcloud.services.iam.conditions import Condition, as_texts, compile_conditions
from runctl.localcloud.services.iam.patterns import Context, has_variables, resolve, wild


class Decision(Enum):
    """What comes of policies; the values are AWS's words."""

    ALLOWED = "allowed"
    DENIED = "explicitDeny"
    NOT_ALLOWED = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be done, to what, in which circumstances."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True)
class Caller:
    """Under which names a policy of a resource may speak of who calls."""

    arns: tuple[str, ...]
    """The session's and the role's, or the user's; empty for nobody in particular."""
    account: str
    service: str = ""


class Match(Enum):
    """How a statement speaks of a caller."""

    NOT = 0
    ACCOUNT = 1
    """It names the account: which leaves it to the policies of the caller."""
    DIRECT = 2


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled."""

    sid: str
    is_allow: bool
    applies: Callable[[Ask], bool]
    speaks_of: Callable[[Caller | None], Match]


@dataclass(frozen=True, slots=True)
class Policy:
    """A document, compiled."""

    statements: tuple[Statement, ...]
    keys: frozenset[str] = frozenset()
    """The condition keys that it asks for."""


@lru_cache(maxsize=2048)
def compile_policy(document: str) -> Policy:
    """Compile a document that has been checked before."""
    parsed = msgspec.json.decode(document)
    may_vary = parsed.get("Version") == "2012-10-17"
    statements = _listed(parsed["Statement"])
    keys = {key for one in statements for test in one.get("Condition", {}).values() for key in test}
    return Policy(tuple(_compile(one, may_vary) for one in statements), frozenset(keys))


def evaluate(policies: Iterable[Policy], ask: Ask) -> Decision:
    """Say what policies of a caller come to: a deny wins, an allow is needed."""
    decision = Decision.NOT_ALLOWED
    for policy in policies:
        for statement in policy.statements:
            if not (decision is Decision.ALLOWED and statement.is_allow) and statement.applies(ask):
                if not statement.is_allow:
                    return Decision.DENIED
                decision = Decision.ALLOWED
    return decision


def evaluate_resource(
    policy: Policy, ask: Ask, caller: Caller | None, *, least: Match = Match.DIRECT
) -> Decision:
    """Say what the policy of a resource comes to for a caller; None for an anonymous one.

    An allow has to speak of the caller as directly as ``least``; a deny of the account reaches all.
    """
    decision = Decision.NOT_ALLOWED
    for statement in policy.statements:
        match = statement.speaks_of(caller)
        if match is Match.NOT or not statement.applies(ask):
            continue
        if not statement.is_allow:
            return Decision.DENIED
        if match.value >= least.value:
            decision = Decision.ALLOWED
    return decision


def matching(policy: Policy, ask: Ask) -> list[Statement]:
    """Return the statements that apply."""
    return [statement for statement in policy.statements if statement.applies(ask)]


# ---------------------------------------------------------------- compiling


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _compile(statement: Mapping[str, Any], may_vary: bool) -> Statement:
    actions = _actions(statement)
    resources = _resources(statement, may_vary)
    conditions = compile_conditions(statement.get("Condition", {}))
    return Statement(
        statement.get("Sid", ""),
        statement["Effect"] == "Allow",
        lambda ask: actions(ask) and resources(ask) and _hold(conditions, ask.context),
        _principals(statement),
    )


def _hold(conditions: tuple[Condition, ...], context: Context) -> bool:
    return all(condition(context) for condition in conditions)


def _actions(statement: Mapping[str, Any]) -> Callable[[Ask], bool]:
    if "NotAction" in statement:
        others = wild(as_texts(statement["NotAction"]), is_caseless=True)
        return lambda ask: not others(ask.action)
    match = wild(as_texts(statement["Action"]), is_caseless=True)
    return lambda ask: match(ask.action)


def _resources(statement: Mapping[str, Any], may_vary: bool) -> Callable[[Ask], bool]:
    if "NotResource" in statement:
        others = _resource_match(as_texts(statement["NotResource"]), may_vary)
        return lambda ask: not others(ask)
    return _resource_match(as_texts(statement.get("Resource", "*")), may_vary)


def _resource_match(texts: tuple[str, ...], may_vary: bool) -> Callable[[Ask], bool]:
    fixed = wild([text for text in texts if not (may_vary and has_variables(text))])
    varying = [text for text in texts if may_vary and has_variables(text)]
    if not varying:
        return lambda ask: fixed(ask.resource)

    def match(ask: Ask) -> bool:
        resolved = (resolve(text, ask.context) for text in varying)
        return fixed(ask.resource) or any(
            wild([text])(ask.resource) for text in resolved if text is not None
        )

    return match


# ---------------------------------------------------------------- principals


def _principals(statement: Mapping[str, Any]) -> Callable[[Caller | None], Match]:
    if "NotPrincipal" in statement:
        named = _named(statement["NotPrincipal"])
        return lambda who: Match.NOT if named(who) is not Match.NOT else Match.DIRECT
    if "Principal" in statement:
        return _named(statement["Principal"])
    return lambda _: Match.DIRECT


def _named(principal: Any) -> Callable[[Caller | None], Match]:
    if principal == "*":
        return lambda _: Match.DIRECT
    users = as_texts(principal.get("AWS", []))
    services = as_texts(principal.get("Service", []))

    def match(who: Caller | None) -> Match:
        if "*" in users:
            return Match.DIRECT
        if who is None:
            return Match.NOT
        if who.service in services or any(arn in users for arn in who.arns):
            return Match.DIRECT
        account = (who.account, f"arn:aws:iam::{who.account}:root")
        return Match.ACCOUNT if who.account and any(a in users for a in account) else Match.NOT

    return match
