"""The policy simulator: what would be allowed, without doing it."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.identity import Principal
from runctl.localcloud.services.iam.documents import check_policy, check_resource_policy
from runctl.localcloud.services.iam.entities import missing
from runctl.localcloud.services.iam.paging import page
from runctl.localcloud.services.iam.policies import (
    Ask,
    Caller,
    Policy,
    compile_policy,
    matching,
)
from runctl.localcloud.services.iam.rights import (
    Rights,
    Values,
    request_context,
    rights_of_holder,
)
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_DIGITS = 6


@operation("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(call: Call) -> dict[str, Any]:
    """Say what the policies of a role or a user come to, with others added."""
    holder = _holder(call, call.get("PolicySourceArn"))
    rights = rights_of_holder(call.cloud, holder)
    added = _compiled(call, "PolicyInputList")
    bounds = _bounds(call) or rights.boundary
    rights = Rights((*rights.policies, *added), bounds, None, rights.is_user)
    who = Principal("", call.cloud.account, holder["Arn"], holder.get("RoleName"),
                    holder.get("UserName"))  # fmt: skip
    return _simulate(call, rights, who)


@operation("iam", "SimulateCustomPolicy")
def simulate_custom_policy(call: Call) -> dict[str, Any]:
    """Say what given policies come to."""
    rights = Rights(_compiled(call, "PolicyInputList"), _bounds(call))
    return _simulate(call, rights, None)


def _holder(call: Call, arn: str) -> Record:
    kind, _, name = arn.rpartition(":")[2].partition("/")
    record = call.table(kind, "").get(name.rpartition("/")[2])
    if kind not in ("role", "user") or record is None or record["Arn"] != arn:
        raise missing("Entity {} could not be found.", arn)
    return record


def _compiled(call: Call, name: str) -> tuple[Policy, ...]:
    texts = call.get(name, [])
    for text in texts:
        _check(check_policy, text)
    return tuple(map(compile_policy, texts))


def _check(check: Any, text: str) -> None:
    try:
        check(text)
    except AwsError as error:
        raise AwsError("InvalidInput", f"Invalid policy: {error.message}") from error


def _bounds(call: Call) -> tuple[Policy, ...] | None:
    return _compiled(call, "PermissionsBoundaryPolicyInputList") or None


def _simulate(call: Call, rights: Rights, who: Principal | None) -> dict[str, Any]:
    context = request_context(call.cloud, who, call.region) | _given(call)
    resource_policy = None
    if call.get("ResourcePolicy"):
        _check(check_resource_policy, call.get("ResourcePolicy"))
        resource_policy = compile_policy(call.get("ResourcePolicy"))
    arn = call.get("CallerArn") or (who.arn if who is not None else "")
    caller = Caller((arn,), call.cloud.account)
    results = [
        _result(rights, Ask(action, resource, context), resource_policy, caller)
        for action in call.get("ActionNames")
        for resource in call.get("ResourceArns", ["*"])
    ]
    numbered = [{**one, "_Number": f"{n:0{_DIGITS}}"} for n, one in enumerate(results)]
    return page(call, "EvaluationResults", numbered, sort_by="_Number")


def _given(call: Call) -> Values:
    return {
        entry.get("ContextKeyName", "").lower(): entry.get("ContextKeyValues", [])
        for entry in call.get("ContextEntries", [])
    }


def _result(
    rights: Rights, ask: Ask, resource_policy: Policy | None, caller: Caller
) -> dict[str, Any]:
    if ":" not in ask.action:
        raise AwsError("InvalidInput", f"Invalid action: {ask.action}")
    verdict = rights.judge(ask, resource_policy, caller)
    matched = [
        {"SourcePolicyId": f"PolicyInputList.{number}", "SourcePolicyType": "IAM Policy"}
        for number, policy in enumerate(rights.policies, 1)
        for statement in matching(policy, ask)
        if statement.is_allow == verdict.is_allowed
    ]
    bounds = rights.boundary
    told: dict[str, Any] = {}
    if bounds is not None:
        is_within = Rights(bounds).judge(ask).is_allowed
        told["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": is_within}
    return told | {
        "EvalActionName": ask.action,
        "EvalResourceName": ask.resource,
        "EvalDecision": verdict.decision.value,
        "MatchedStatements": matched,
        "MissingContextValues": _missing(rights, ask),
    }


def _missing(rights: Rights, ask: Ask) -> list[str]:
    asked = {key for policy in rights.policies for key in policy.keys}
    return sorted(key for key in asked if key.lower() not in ask.context)
