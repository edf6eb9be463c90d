"""A set-up taken away: what bears our owner tag, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG
from runctl.errors import NotFoundError, RefusedError
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.group import Group
from runctl.providers.aws.setup.role import Identity, Policy, Profile, Role
from runctl.providers.aws.setup.settling import Change

_LIVING = ["pending", "running", "stopping", "stopped"]
_LISTED = 5


def check_no_instances(account: Account, plan: Blueprint) -> None:
    """Raise RefusedError naming the instances of ours that live in the region."""
    filters = [
        {"Name": f"tag:{OWNER_TAG}", "Values": [plan.place.owner]},
        {"Name": "instance-state-name", "Values": _LIVING},
    ]
    pages = account.client("ec2").get_paginator("describe_instances")
    with translated("your instances cannot be listed"):
        groups = [
            group for page in pages.paginate(Filters=filters) for group in page["Reservations"]
        ]
    ids = [one["InstanceId"] for group in groups for one in group["Instances"]]
    if ids:
        rest = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        raise RefusedError(
            f"instances of yours live in {plan.place.region}: {', '.join(ids[:_LISTED])}{rest}",
            hint=f"runctl aws terminate {' '.join(ids[:_LISTED])}",
            instances=ids,
        )


class GroupGone(Group):
    def examine(self) -> Sequence[Change]:
        try:
            group = self.seen()
        except NotFoundError:  # without a default VPC there is none of ours either
            return []
        return [Change("removed", lambda: self._remove(group["GroupId"]))] if group else []

    def _remove(self, group_id: str) -> None:
        hint = f"aws ec2 describe-network-interfaces --filters Name=group-id,Values={group_id}"
        with translated(f"the security group {self.name} cannot be removed", hint=hint):
            self.account.client("ec2").delete_security_group(GroupId=group_id)


class ProfileGone(Profile):
    def examine(self) -> Sequence[Change]:
        profile, target = self.seen(), {"InstanceProfileName": self.name}
        if profile is None or other_regions(self):
            return []
        taken = [
            Change(
                f"{one['RoleName']} taken out",
                self.later("remove_role_from_instance_profile", **target, RoleName=one["RoleName"]),
            )
            for one in profile["Roles"]
        ]
        return [*taken, Change("removed", self.later("delete_instance_profile", **target))]


class PolicyGone(Policy):
    def examine(self) -> Sequence[Change]:
        target = {"RoleName": self.plan.role, "PolicyName": self.name}
        if self.ask("get_role_policy", **target) is None:
            return []
        return [Change("removed", self.later("delete_role_policy", **target))]


class RoleGone(Role):
    def examine(self) -> Sequence[Change]:
        if self.seen() is None or other_regions(self):
            return []
        target = {"RoleName": self.name}
        policies = [name for name in _within(self) if name != self.plan.policy_name]
        inner = [
            Change(f"policy {name} removed",
                   self.later("delete_role_policy", **target, PolicyName=name))
            for name in policies
        ]  # fmt: skip
        attached = [
            Change(f"{arn.rpartition('/')[2]} detached",
                   self.later("detach_role_policy", **target, PolicyArn=arn))
            for arn in self.attached()
        ]  # fmt: skip
        return [*inner, *attached, Change("removed", self.later("delete_role", **target))]


def other_regions(identity: Identity) -> list[str]:
    """Return the regions whose set-up needs the role as well: it has a policy of each."""
    others = [name for name in _within(identity) if name != identity.plan.policy_name]
    return [name.removeprefix("runctl-") for name in others if name.startswith("runctl-")]


def _within(identity: Identity) -> list[str]:
    told = identity.ask("list_role_policies", RoleName=identity.plan.role)
    return list(told["PolicyNames"]) if told else []
