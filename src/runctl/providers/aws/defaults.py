"""What an instance has where nothing else is said: that which ``runctl aws setup`` has made."""

from __future__ import annotations

import msgspec

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.names import instance_profile_name, security_group_name
from runctl.errors import AuthError, ConfigError, NotFoundError
from runctl.model.wish import InstanceWish


def complete(account: Account, owner: str, wish: InstanceWish) -> InstanceWish:
    """Return the wish with an instance profile and with groups by id.

    Raises ConfigError where it would have neither profile nor key pair, and NotFoundError where
    what is named is not there.
    """
    profile = _profile(account, owner, wish)
    if profile is None and wish.key_name is None:
        raise ConfigError(
            "an instance could not be reached: it would have neither an instance profile, for "
            "Systems Manager, nor a key pair, for SSH",
            hint="runctl aws setup; or type the same with --iam-instance-profile or --key-name",
        )
    groups = _groups(account, owner, wish)
    return msgspec.structs.replace(wish, instance_profile=profile, security_groups=groups)


def _profile(account: Account, owner: str, wish: InstanceWish) -> str | None:
    name = wish.instance_profile or instance_profile_name(owner)
    try:
        with translated(f"there is no instance profile {name}", hint="runctl aws setup"):
            account.client("iam").get_instance_profile(InstanceProfileName=name)
    except AuthError:
        # Who may not read IAM may rent all the same: EC2 says whether it is there.
        return wish.instance_profile or (None if wish.key_name else name)
    except NotFoundError:
        if wish.instance_profile:
            raise
        return None
    return name


def _groups(account: Account, owner: str, wish: InstanceWish) -> tuple[str, ...]:
    vpc = _vpc_of(account, wish.subnet) if wish.subnet else None
    if not wish.security_groups:
        return tuple(_find_groups(account, security_group_name(owner), vpc)[:1])
    return tuple(_id_of(account, one, vpc) for one in wish.security_groups)


def _id_of(account: Account, group: str, vpc: str | None) -> str:
    """Return the id of a group that is given by its id, or by its name."""
    if group.startswith("sg-"):
        return group
    found = _find_groups(account, group, vpc)
    if len(found) != 1:
        raise NotFoundError(
            f"{len(found) or 'no'} security groups of {vpc or account.region} have the name "
            f"{group!r}",
            hint="name it by its id; aws ec2 describe-security-groups",
        )
    return found[0]


def _find_groups(account: Account, name: str, vpc: str | None) -> list[str]:
    wanted = [{"Name": "group-name", "Values": [name]}]
    if vpc is not None:
        wanted.append({"Name": "vpc-id", "Values": [vpc]})
    with translated(f"the security group {name} cannot be looked up"):
        told = account.client("ec2").describe_security_groups(Filters=wanted)
    return [str(one["GroupId"]) for one in told["SecurityGroups"]]


def _vpc_of(account: Account, subnet: str) -> str:
    with translated(f"the subnet {subnet} cannot be described", hint="aws ec2 describe-subnets"):
        told = account.client("ec2").describe_subnets(SubnetIds=[subnet])
    return str(told["Subnets"][0]["VpcId"])
