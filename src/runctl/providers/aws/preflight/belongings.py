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
    name = security_group_name(owner)
    by_name = [{"Name": "group-name", "Values": [name]}]
    given = list(wish.security_groups)
    asked: dict[str, Any] = {"GroupIds": given} if given else {"Filters": by_name}
    with translated("the security groups cannot be looked at"):
        found = account.client("ec2").describe_security_groups(**asked)["SecurityGroups"]
    if not found:
        raise NotFoundError(f"there is no security group {name}", hint="runctl aws setup")
    if not any(one["VpcId"] == vpc for one in found):
        raise ConflictError(
            f"no security group {', '.join(given) or name} is in {vpc}, where instances would be",
            hint=f"aws ec2 describe-security-groups --filters Name=vpc-id,Values={vpc}",
        )
    return ", ".join(f"{one['GroupName']} ({one['GroupId']})" for one in found)


def look_at_key(account: Account, name: str) -> str:
    """Say that a key pair is there."""
    fix = f"aws ec2 create-key-pair --key-name {name} --query KeyMaterial --output text"
    with translated(f"there is no key pair {name}", hint=fix):
        account.client("ec2").describe_key_pairs(KeyNames=[name])
    return name
