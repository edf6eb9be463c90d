"""The rights of a principal: its policies, what bounds them, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from runctl.localcloud.identity import Principal
from runctl.localcloud.services.iam.managed import text_of
from runctl.localcloud.services.iam.policies import (
    Ask,
    Caller,
    Decision,
    Policy,
    compile_policy,
    evaluate,
    evaluate_resource,
)
from runctl.localcloud.services.iam.sessions import trusts_service
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_SSM_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_IDENTITY = "identity-based policy"
_BOUNDARY = "permissions boundary"
_SESSION = "session policy"
_RESOURCE = "resource-based policy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policies come to, and the kind of policy that decided."""

    decision: Decision
    source: str = _IDENTITY

    @property
    def is_allowed(self) -> bool:
        return self.decision is Decision.ALLOWED

    def reason(self, action: str) -> str:
        """Say why not, in AWS's words."""
        if self.decision is Decision.DENIED:
            article = "an" if self.source[0] in "aeiou" else "a"
            return f"with an explicit deny in {article} {self.source}"
        return f"because no {self.source} allows the {action} action"


@dataclass(frozen=True, slots=True)
class Rights:
    """The policies of a principal."""

    policies: tuple[Policy, ...]
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None
    is_user: bool = False

    def judge(
        self, ask: Ask, resource_policy: Policy | None = None, caller: Caller | None = None
    ) -> Verdict:
        """Say whether it may be done; the policy of the resource can allow it, too."""
        limits = ((self.boundary, _BOUNDARY), (self.session, _SESSION))
        found = [
            (evaluate(policies, ask), source)
            for policies, source in ((self.policies, _IDENTITY), *limits)
            if policies is not None
        ]
        granted = Decision.NOT_ALLOWED
        if resource_policy is not None:
            granted = evaluate_resource(resource_policy, ask, caller)
            found.append((granted, _RESOURCE))
        for decision, source in found:
            if decision is Decision.DENIED:
                return Verdict(decision, source)
        return self._weigh(found, granted is Decision.ALLOWED)

    def _weigh(self, found: Sequence[tuple[Decision, str]], is_granted: bool) -> Verdict:
        """An allow by the resource stands for that of the identity; a user's bounds give way."""
        if is_granted and self.is_user:
            return Verdict(Decision.ALLOWED, _RESOURCE)
        spared = (_RESOURCE, _IDENTITY) if is_granted else (_RESOURCE,)
        for decision, source in found:
            if decision is not Decision.ALLOWED and source not in spared:
                return Verdict(decision, source)
        return Verdict(Decision.ALLOWED)


def holder_of(cloud: Cloud, who: Principal) -> Record | None:
    """Return the role or the user behind a principal; None if it is gone, or another by now."""
    if who.role is not None:
        role = cloud.records.peek("role", "", who.role)
        is_same = role is not None and who.user_id.partition(":")[0] in ("", role["RoleId"])
        return role if is_same else None
    return cloud.records.peek("user", "", who.user) if who.user is not None else None


def rights_of(cloud: Cloud, who: Principal, holder: Record | None) -> Rights:
    """Return the rights of a principal."""
    if holder is None:
        return Rights(())
    session = who.session.policies if who.session is not None else None
    rights = rights_of_holder(cloud, holder)
    limits = None if session is None else tuple(map(compile_policy, session))
    return Rights(rights.policies, rights.boundary, limits, rights.is_user)


def rights_of_holder(cloud: Cloud, holder: Record) -> Rights:
    """Return what the policies of a role or a user allow."""
    texts = [*holder["_Policies"].values(), *_texts(cloud, holder["_Attached"])]
    boundary = holder.get("PermissionsBoundary")
    bounds = None
    if boundary:
        bounds = tuple(map(compile_policy, _texts(cloud, [boundary["PermissionsBoundaryArn"]])))
    return Rights(tuple(map(compile_policy, texts)), bounds, None, "UserName" in holder)


def _texts(cloud: Cloud, arns: Iterable[str]) -> list[str]:
    return [text for arn in arns if (text := text_of(cloud, arn)) is not None]


def may_use_ssm(cloud: Cloud, role: Record | None) -> bool:
    """Whether the agent of Systems Manager can register with a role: EC2 may take it, and it may
    report and open its channels."""
    if role is None or not trusts_service(role, "ec2.amazonaws.com"):
        return False
    rights = rights_of_holder(cloud, role)
    return all(rights.judge(Ask(action, "*", {})).is_allowed for action in _SSM_ACTIONS)


# ---------------------------------------------------------------- what is known of who calls

Values = dict[str, Sequence[str]]


def request_context(cloud: Cloud, who: Principal | None, region: str = "") -> Values:
    """Return the condition keys that every request has.

    The endpoint on loopback stands for AWS's own, and counts as secure transport.
    """
    now = cloud.clock()
    context: Values = {
        "aws:currenttime": [_iso(int(now))],
        "aws:epochtime": [str(int(now))],
        "aws:securetransport": ["true"],
        "aws:sourceip": ["127.0.0.1"],
        "aws:principaltype": ["Anonymous"],
    }
    if region:
        context |= {"aws:requestedregion": [region], "ec2:region": [region]}
    return context | (_principal_context(cloud, who) if who is not None else {})


def _principal_context(cloud: Cloud, who: Principal) -> Values:
    holder = holder_of(cloud, who) or {}
    tags = {tag["Key"]: tag["Value"] for tag in holder.get("Tags", ())}
    context: Values = {
        "aws:principalaccount": [who.account],
        "aws:principalarn": [holder.get("Arn", who.arn)],
        "aws:principaltype": [_type_of(who)],
        "aws:userid": [who.user_id or who.account],
    }
    if who.user is not None:
        context["aws:username"] = [who.user]
    if who.session is not None:
        tags |= dict(who.session.tags)
        context["aws:tokenissuetime"] = [_iso(int(who.session.issued_at))]
        if who.session.instance is not None:
            context["ec2:sourceinstancearn"] = [who.session.instance]
    return context | {f"aws:principaltag/{key.lower()}": [tags[key]] for key in tags}


def _type_of(who: Principal) -> str:
    if who.role is not None:
        return "AssumedRole"
    return "User" if who.user is not None else "Account"


def caller_of(cloud: Cloud, who: Principal) -> Caller:
    """Return the names under which the policy of a resource may speak of a principal."""
    holder = holder_of(cloud, who)
    arns = (who.arn,) if holder is None or holder["Arn"] == who.arn else (who.arn, holder["Arn"])
    root = f"arn:aws:iam::{who.account}:root"
    return Caller((*arns, root, who.account) if who.is_root else arns, who.account)


@lru_cache(maxsize=64)
def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
