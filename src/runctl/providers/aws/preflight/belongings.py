"""What a launch names: security groups and a key pair."""

from __future__ import annotations

from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.names import security_group_name
from runctl.errors import ConflictError, NotFoundError
from runctl.model.wish import InstanceWish
from runctl.providers.aws.preflight.network import find_subnets


def look_at_groups(account: Account, wish: InstanceWish, owner: str) -> str:
    """Say which groups there are; NotFoundError, or ConflictError for those of another VPC."""
    vpc = find_subnets(account, wish)[0]["VpcId"]
    wanted = wish.security_groups or (security_group_name(owner),)
    fix = f"aws ec2 describe-security-groups --filters Name=vpc-id,Values={vpc}"
    found = [one for group in wanted for one in _find_groups(account, group)]
    if not found:
        fix = fix if wish.security_groups else "runctl aws setup"
        raise NotFoundError(f"there is no security group {', '.join(wanted)}", hint=fix)
    if not any(one["VpcId"] == vpc for one in found):
        raise ConflictError(
            f"no security group {', '.join(wanted)} is in {vpc}, where instances would be",
            hint=fix,
        )
    return ", ".join(f"{one['GroupName']} ({one['GroupId']})" for one in found)


def _find_groups(account: Account, group: str) -> list[Any]:
    """Return the groups of an id, or of a name: each VPC may have one."""
    filter_name = "group-id" if group.startswith("sg-") else "group-name"
    filters = [{"Name": filter_name, "Values": [group]}]
    with translated("the security groups cannot be looked at"):
        told = account.client("ec2").describe_security_groups(Filters=filters)
    return list(told["SecurityGroups"])


def look_at_key(account: Account, name: str) -> str:
    """Say that a key pair is there."""
    fix = f"aws ec2 create-key-pair --key-name {name} --query KeyMaterial --output text"
    with translated(f"there is no key pair {name}", hint=fix):
        account.client("ec2").describe_key_pairs(KeyNames=[name])
    return name
