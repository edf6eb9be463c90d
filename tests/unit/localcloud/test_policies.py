"""Policies: what they say, and what is refused as no policy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runctl.localcloud.services.iam.policies import (
    Ask,
    Caller,
    Decision,
    Match,
    compile_policy,
    evaluate,
    evaluate_resource,
)

ACCOUNT = "123456789012"
INSTANCE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"
Context = Mapping[str, Sequence[str]]


def document(*statements: Mapping[str, Any], version: str = "2012-10-17") -> str:
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **one} for one in statements]
    return json.dumps({"Version": version, "Statement": whole})


def decide(
    *statements: Mapping[str, Any],
    action: str = "ec2:StopInstances",
    resource: str = INSTANCE,
    context: Context | None = None,
    version: str = "2012-10-17",
) -> str:
    policy = compile_policy(document(*statements, version=version))
    return evaluate([policy], Ask(action, resource, context or {})).value


def holds(condition: Mapping[str, Any], **context: str | list[str]) -> bool:
    """Whether a condition holds; ``a__b`` stands for the key ``a:b``."""
    given = {
        name.replace("__", ":"): [value] if isinstance(value, str) else value
        for name, value in context.items()
    }
    return decide({"Condition": condition}, context=given) == "allowed"


# ---------------------------------------------------------------- allow and deny


def test_nothing_is_allowed_by_itself() -> None:
    assert evaluate([], Ask("ec2:StopInstances", INSTANCE, {})) is Decision.NOT_ALLOWED
    assert decide({"Action": "ec2:StartInstances"}) == "implicitDeny"


def test_deny_wins_wherever_it_stands() -> None:
    allow, deny = {"Effect": "Allow"}, {"Effect": "Deny", "Action": "ec2:Stop*"}
    assert decide(allow, deny) == decide(deny, allow) == "explicitDeny"
    assert decide(allow, {"Effect": "Deny", "Action": "ec2:Start*"}) == "allowed"


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("*", True),
        ("ec2:*", True),
        ("EC2:stopinstances", True),
        ("ec2:Stop*", True),
        ("ec2:?topInstances", True),
        ("ec2:Stop", False),
        ("s3:*", False),
        ("ec2.StopInstances", False),
    ],
)
def test_actions(pattern: str, is_match: bool) -> None:
    assert (decide({"Action": ["x:y", pattern]}) == "allowed") == is_match


def test_every_action_but() -> None:
    policy = document({"NotAction": ["iam:*"], "Action": None}).replace('"Action": null, ', "")
    compiled = compile_policy(policy)
    assert evaluate([compiled], Ask("ec2:RunInstances", "*", {})) is Decision.ALLOWED
    assert evaluate([compiled], Ask("iam:CreateRole", "*", {})) is Decision.NOT_ALLOWED


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        (INSTANCE, True),
        ("arn:aws:ec2:*:*:instance/*", True),
        (INSTANCE.upper(), False),
        ("arn:aws:ec2:*:*:volume/*", False),
        (INSTANCE[:-1] + "?", True),
        (INSTANCE[:-1], False),
    ],
)
def test_resources(pattern: str, is_match: bool) -> None:
    assert (decide({"Resource": pattern}) == "allowed") == is_match


def test_every_resource_but() -> None:
    text = document({"NotResource": INSTANCE}).replace('"Resource": "*", ', "")
    policy = compile_policy(text)
    assert evaluate([policy], Ask("a:b", INSTANCE, {})) is Decision.NOT_ALLOWED
    assert evaluate([policy], Ask("a:b", INSTANCE + "2", {})) is Decision.ALLOWED


# ---------------------------------------------------------------- variables


def test_variable_in_a_resource() -> None:
    own = {"Resource": "arn:aws:s3:::b/${aws:username}/*"}
    who: Context = {"aws:username": ["ann"]}
    assert decide(own, resource="arn:aws:s3:::b/ann/x", context=who) == "allowed"
    assert decide(own, resource="arn:aws:s3:::b/bob/x", context=who) == "implicitDeny"
    assert decide(own, resource="arn:aws:s3:::b//x") == "implicitDeny"


def test_value_of_a_variable_is_not_wild() -> None:
    own = {"Resource": "arn:aws:s3:::b/${aws:username}/*"}
    who: Context = {"aws:username": ["*"]}
    assert decide(own, resource="arn:aws:s3:::b/bob/x", context=who) == "implicitDeny"
    assert decide(own, resource="arn:aws:s3:::b/*/x", context=who) == "allowed"


def test_default_of_a_variable_and_literals() -> None:
    shared = {"Resource": "arn:aws:s3:::b/${aws:username, 'all'}/${*}"}
    assert decide(shared, resource="arn:aws:s3:::b/all/*") == "allowed"
    assert decide(shared, resource="arn:aws:s3:::b/all/x") == "implicitDeny"


def test_old_version_has_no_variables() -> None:
    own = {"Resource": "arn:aws:s3:::b/${aws:username}"}
    context: Context = {"aws:username": ["ann"]}
    ask: dict[str, Any] = {"resource": "arn:aws:s3:::b/ann", "context": context}
    assert decide(own, version="2012-10-17", **ask) == "allowed"
    assert decide(own, version="2008-10-17", **ask) == "implicitDeny"


def test_variable_in_a_condition() -> None:
    condition = {"StringEquals": {"ec2:ResourceTag/owner": "${aws:PrincipalTag/owner}"}}
    owned: Context = {"ec2:resourcetag/owner": ["a"], "aws:principaltag/owner": ["a"]}
    assert decide({"Condition": condition}, context=owned) == "allowed"
    other = {**owned, "aws:principaltag/owner": ["b"]}
    assert decide({"Condition": condition}, context=other) == "implicitDeny"
    untagged: Context = {"ec2:resourcetag/owner": ["a"]}
    assert decide({"Condition": condition}, context=untagged) == "implicitDeny"


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "is_true"),
    [
        ("StringEquals", "g5.xlarge", "g5.xlarge", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "g5.*", "g5.xlarge", False),
        ("StringEquals", "A", "a", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", ["a", "b"], "a", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "g5.*", "g5.xlarge", True),
        ("StringLike", "g?.*", "p5.xlarge", False),
        ("StringNotLike", "g5.*", "p5.xlarge", True),
        ("NumericLessThanEquals", "100", "100", True),
        ("NumericLessThan", 100, "100", False),
        ("NumericGreaterThan", "99", "100", True),
        ("NumericGreaterThanEquals", "101", "100", False),
        ("NumericEquals", "100", "100.0", True),
        ("NumericNotEquals", "100", "100", False),
        ("NumericEquals", "100", "many", False),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2029-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2030-01-01T00:00:00Z", "2029-12-31T23:59:59Z", False),
        ("DateGreaterThanEquals", "1800000000", "1800000000", True),
        ("DateEquals", "2027-01-15T08:00:00Z", "1800000000", True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "YQ==", "a", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", ["192.168.0.0/16", "::1"], "10.1.2.3", False),
        ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
        ("IpAddress", "nonsense", "10.1.2.3", False),
        ("ArnLike", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a/b", True),
        ("ArnLike", "arn:aws:*:role/*", "arn:aws:iam::1:role/a", False),
        ("ArnEquals", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a", True),
        ("ArnNotEquals", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b", True),
        ("ArnNotLike", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/b", False),
        ("Null", "true", "there", False),
        ("Null", "false", "there", True),
    ],
)
def test_operators(operator: str, wanted: Any, value: str, is_true: bool) -> None:
    assert holds({operator: {"x:Key": wanted}}, x__key=value) == is_true


@pytest.mark.parametrize(
    ("operator", "is_true"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotLikeIfExists", True),
        ("NumericLessThan", False),
        ("Bool", False),
        ("BoolIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
    ],
)
def test_missing_key(operator: str, is_true: bool) -> None:
    assert holds({operator: {"x:Key": "1"}}) == is_true


def test_null_of_a_missing_key() -> None:
    assert holds({"Null": {"aws:TokenIssueTime": "true"}})
    assert not holds({"Null": {"aws:TokenIssueTime": "false"}})


def test_all_keys_and_operators_have_to_hold() -> None:
    both = {"StringEquals": {"x:a": "1", "x:b": "2"}, "NumericLessThan": {"x:c": "3"}}
    assert holds(both, x__a="1", x__b="2", x__c="2")
    assert not holds(both, x__a="1", x__b="no", x__c="2")
    assert not holds(both, x__a="1", x__b="2", x__c="3")


def test_several_values() -> None:
    every = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    assert holds(every, aws__tagkeys=["a", "b"])
    assert not holds(every, aws__tagkeys=["a", "c"])
    some = {"ForAnyValue:StringLike": {"aws:TagKeys": "runctl:*"}}
    assert holds(some, aws__tagkeys=["a", "runctl:owner"])
    assert not holds(some, aws__tagkeys=["a"])


# ---------------------------------------------------------------- resources' own policies


def ann(resource_policy: Mapping[str, Any], least: Match = Match.DIRECT) -> str:
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
    policy = compile_policy(document(resource_policy))
    who = Caller((arn,), ACCOUNT)
    return evaluate_resource(policy, Ask("a:b", "c", {}), who, least=least).value


def test_principals() -> None:
    user = f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert ann({"Principal": "*"}) == "allowed"
    assert ann({"Principal": {"AWS": "*"}}) == "allowed"
    assert ann({"Principal": {"AWS": ["x", user]}}) == "allowed"
    assert ann({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}}) == "implicitDeny"
    assert ann({"Principal": {"Service": "ec2.amazonaws.com"}}) == "implicitDeny"
    assert ann({"NotPrincipal": {"AWS": user}, "Effect": "Deny"}) == "implicitDeny"
    assert ann({"NotPrincipal": {"AWS": "x"}, "Effect": "Deny"}) == "explicitDeny"


@pytest.mark.parametrize("account", [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"])
def test_account_leaves_it_to_the_policies_of_the_caller(account: str) -> None:
    named = {"Principal": {"AWS": account}}
    assert ann(named) == "implicitDeny"
    assert ann(named, least=Match.ACCOUNT) == "allowed"
    assert ann({**named, "Effect": "Deny"}) == "explicitDeny"


def test_anybody() -> None:
    policy = compile_policy(document({"Principal": "*", "Action": "s3:GetObject"}))
    assert evaluate_resource(policy, Ask("s3:GetObject", "x", {}), None) is Decision.ALLOWED
    assert evaluate_resource(policy, Ask("s3:PutObject", "x", {}), None) is Decision.NOT_ALLOWED
