"""The security group of an owner's instances: nothing comes in, unless SSH is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG
from runctl.errors import NotFoundError, RefusedError
from runctl.providers.aws.setup.blueprint import SSH_PORT, Blueprint, Opening
from runctl.providers.aws.setup.settling import Change

_EVERYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@dataclass(frozen=True)
class Group:
    account: Account
    plan: Blueprint

    kind = "security group"

    @property
    def name(self) -> str:
        return self.plan.group

    def examine(self) -> Sequence[Change]:
        group = self.seen()
        if group is None:
            return [Change("made", self._make), *self._opened(self.plan.openings)]
        rules = self._rules(group["GroupId"])
        ingress = [rule for rule in rules if not rule["IsEgress"]]
        missing = [one for one in self.plan.openings if not any(_is(one, r) for r in ingress)]
        surplus = [r for r in ingress if not any(_is(one, r) for one in self.plan.openings)]
        closed = [self._closing(group["GroupId"], rule) for rule in surplus]
        return [*closed, *self._opened(missing), *self._outward(group["GroupId"], rules)]

    def seen(self) -> Mapping[str, Any] | None:
        """Return the group of the default VPC, None where there is none.

        RefusedError where it is not ours, NotFoundError where there is no default VPC.
        """
        filters = {"group-name": self.name, "vpc-id": self.vpc()}
        with translated(f"the security group {self.name} cannot be looked at"):
            told = self._ec2.describe_security_groups(Filters=_filters(filters))
        for group in told["SecurityGroups"]:
            if {"Key": OWNER_TAG, "Value": self.plan.place.owner} not in group.get("Tags", []):
                raise RefusedError(
                    f"security group {self.name} ({group['GroupId']}) does not bear your owner "
                    f"tag {self.plan.place.owner}: it is not ours to change",
                    hint=f"aws ec2 describe-security-groups --group-ids {group['GroupId']}",
                )
            found: Mapping[str, Any] = group
            return found
        return None

    def vpc(self) -> str:
        """Return the id of the default VPC."""
        with translated("the default VPC cannot be looked at"):
            told = self._ec2.describe_vpcs(Filters=_filters({"is-default": "true"}))
        if not told["Vpcs"]:
            raise NotFoundError(
                f"there is no default VPC in {self.plan.place.region}",
                hint="aws ec2 create-default-vpc",
            )
        return str(told["Vpcs"][0]["VpcId"])

    # -- changes

    def _make(self) -> None:
        tagged = [{"ResourceType": "security-group", "Tags": self.plan.tags}]
        with translated(f"the security group {self.name} cannot be made"):
            self._ec2.create_security_group(
                GroupName=self.name,
                Description=self.plan.group_description,
                VpcId=self.vpc(),
                TagSpecifications=tagged,
            )

    def _opened(self, openings: Sequence[Opening]) -> list[Change]:
        if not openings:
            return []
        told = f"SSH from {', '.join(one.block for one in openings)}"
        permissions = [permission(one) for one in openings]
        return [Change(told, lambda: self._open(permissions))]

    def _open(self, permissions: list[dict[str, Any]]) -> None:
        group = self.seen()  # it may have been made a moment ago
        if group is None:
            raise NotFoundError(
                f"the security group {self.name} is not there yet",
                hint="runctl aws setup",
                aws_code="InvalidGroup.NotFound",
            )
        self._change("authorize_security_group_ingress", group["GroupId"], permissions)()

    def _closing(self, group_id: str, rule: Mapping[str, Any]) -> Change:
        ids = [rule["SecurityGroupRuleId"]]
        port, whence = rule.get("FromPort", -1), rule.get("CidrIpv4") or rule.get("CidrIpv6")
        told = f"port {port if port >= 0 else 'any'} closed to {whence or 'a group'}"
        return Change(told, lambda: self._close(group_id, ids))

    def _close(self, group_id: str, ids: list[str]) -> None:
        with translated(f"the security group {self.name} cannot be changed"):
            self._ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=ids)

    def _outward(self, group_id: str, rules: Sequence[Mapping[str, Any]]) -> list[Change]:
        if any(rule["IsEgress"] for rule in rules):
            return []  # narrowed on purpose, if at all
        opened = self._change("authorize_security_group_egress", group_id, [_EVERYWHERE])
        return [Change("open outwards", opened)]

    def _change(self, operation: str, group_id: str, permissions: Any) -> Callable[[], None]:
        def change() -> None:
            with translated(f"the security group {self.name} cannot be changed"):
                getattr(self._ec2, operation)(GroupId=group_id, IpPermissions=permissions)

        return change

    def _rules(self, group_id: str) -> list[Mapping[str, Any]]:
        pages = self._ec2.get_paginator("describe_security_group_rules")
        with translated(f"the security group {self.name} cannot be looked at"):
            return [
                rule
                for page in pages.paginate(Filters=_filters({"group-id": group_id}))
                for rule in page["SecurityGroupRules"]
            ]

    @property
    def _ec2(self) -> Any:
        return self.account.client("ec2")


def permission(opening: Opening) -> dict[str, Any]:
    """Return one opening as EC2 has it."""
    ranges, key = ("Ipv6Ranges", "CidrIpv6") if opening.is_ipv6 else ("IpRanges", "CidrIp")
    ports = {"IpProtocol": "tcp", "FromPort": SSH_PORT, "ToPort": SSH_PORT}
    return {**ports, ranges: [{key: opening.block}]}


def _is(opening: Opening, rule: Mapping[str, Any]) -> bool:
    ports = (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"))
    block = rule.get("CidrIpv6" if opening.is_ipv6 else "CidrIpv4")
    return ports == ("tcp", SSH_PORT, SSH_PORT) and block == opening.block


def _filters(wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()]
