"""The role of an owner's instances, its policies, and the profile that hands it to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.asking import ask
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG
from runctl.errors import RefusedError
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.policy import is_same
from runctl.providers.aws.setup.settling import Change

_ABSENT = "NoSuchEntity"


@dataclass(frozen=True)
class Identity:
    """Speaks with IAM about one thing of a set-up."""

    account: Account
    plan: Blueprint

    def ask(self, operation: str, **parameters: Any) -> Any | None:
        """Return the answer, None where there is no such thing."""
        call = getattr(self._iam, operation)
        return ask("what IAM has of your set-up", lambda: call(**parameters), _ABSENT)

    def later(self, operation: str, **parameters: Any) -> Callable[[], None]:
        return lambda: self.change(operation, **parameters)

    def change(self, operation: str, **parameters: Any) -> None:
        with translated("what IAM has of your set-up cannot be changed"):
            getattr(self._iam, operation)(**parameters)

    def check_ours(self, kind: str, name: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Raise RefusedError for what does not bear our owner tag."""
        if {"Key": OWNER_TAG, "Value": self.plan.place.owner} not in tags:
            raise RefusedError(
                f"{kind} {name} does not bear your owner tag {self.plan.place.owner}: "
                "it is not ours to change",
                hint=f"aws iam get-{kind.replace(' ', '-')} --{kind.replace(' ', '-')}-name {name}",
            )

    @property
    def _iam(self) -> Any:
        return self.account.client("iam")


class Role(Identity):
    kind = "role"

    @property
    def name(self) -> str:
        return self.plan.role

    def seen(self) -> Mapping[str, Any] | None:
        """Return the role, None where there is none; RefusedError where it is not ours."""
        told = self.ask("get_role", RoleName=self.name)
        if told is None:
            return None
        role: Mapping[str, Any] = told["Role"]
        self.check_ours(self.kind, self.name, role.get("Tags", []))
        return role

    def examine(self) -> Sequence[Change]:
        role = self.seen()
        trust = json.dumps(self.plan.trust)
        if role is None:
            make = self.later(
                "create_role",
                RoleName=self.name,
                AssumeRolePolicyDocument=trust,
                Description=self.plan.group_description,
                Tags=self.plan.tags,
            )
            return [Change("made", make), *self._attached()]
        changes = list(self._attached())
        if not is_same(role["AssumeRolePolicyDocument"], self.plan.trust):
            update = self.later(
                "update_assume_role_policy", RoleName=self.name, PolicyDocument=trust
            )
            changes.append(Change("trusts EC2 alone", update))
        return changes

    def attached(self) -> list[str]:
        """Return the ARNs of the policies that are attached to it."""
        told = self.ask("list_attached_role_policies", RoleName=self.name)
        return [one["PolicyArn"] for one in told["AttachedPolicies"]] if told else []

    def _attached(self) -> list[Change]:
        arn = self.plan.managed_policy
        if arn in self.attached():
            return []
        attach = self.later("attach_role_policy", RoleName=self.name, PolicyArn=arn)
        return [Change(f"{arn.rpartition('/')[2]} attached", attach)]


class Policy(Identity):
    """The policy within the role: looked at on its own, for it is what a wish changes."""

    kind = "policy"

    @property
    def name(self) -> str:
        return self.plan.policy_name

    def examine(self) -> Sequence[Change]:
        target = {"RoleName": self.plan.role, "PolicyName": self.name}
        told = self.ask("get_role_policy", **target)
        wanted = self.plan.policy
        if told and is_same(told["PolicyDocument"], wanted):
            return []
        put = self.later("put_role_policy", **target, PolicyDocument=json.dumps(wanted))
        return [
            Change("made" if told is None else _difference(told["PolicyDocument"], wanted), put)
        ]


def _difference(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say which statements change, by their names."""
    before, after = ({one.get("Sid"): one for one in _listed(which)} for which in (seen, wanted))
    kept = [sid for sid in after if sid in before]
    words = {
        "adds": [sid for sid in after if sid not in before],
        "changes": [sid for sid in kept if not is_same(before[sid], after[sid])],
        "takes away": [sid for sid in before if sid not in after],
    }
    told = [f"{verb} {', '.join(map(str, sids))}" for verb, sids in words.items() if sids]
    return "; ".join(told) or "put in order"


def _listed(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


class Profile(Identity):
    kind = "instance profile"

    @property
    def name(self) -> str:
        return self.plan.profile

    def seen(self) -> Mapping[str, Any] | None:
        """Return the profile, None where there is none; RefusedError where it is not ours."""
        told = self.ask("get_instance_profile", InstanceProfileName=self.name)
        if told is None:
            return None
        profile: Mapping[str, Any] = told["InstanceProfile"]
        if [one["RoleName"] for one in profile["Roles"]] != [self.plan.role]:
            # One that holds our role alone is ours: CloudFormation cannot tag it.
            self.check_ours(self.kind, self.name, profile.get("Tags", []))
        return profile

    def examine(self) -> Sequence[Change]:
        profile, target = self.seen(), {"InstanceProfileName": self.name}
        changes = []
        if profile is None:
            make = self.later("create_instance_profile", **target, Tags=self.plan.tags)
            changes.append(Change("made", make))
        roles = [one["RoleName"] for one in profile["Roles"]] if profile else []
        for other in (name for name in roles if name != self.plan.role):  # it holds one role
            remove = self.later("remove_role_from_instance_profile", **target, RoleName=other)
            changes.append(Change(f"role {other} taken out", remove))
        if self.plan.role not in roles:
            add = self.later("add_role_to_instance_profile", **target, RoleName=self.plan.role)
            changes.append(Change(f"holds {self.plan.role}", add))
        return changes
