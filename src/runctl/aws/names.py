"""What ``runctl aws setup`` makes is called so, and is found again by these names."""

from __future__ import annotations


def bucket_name(account_id: str, region: str) -> str:
    """Return the bucket that an account's owners share; each has the prefix of his owner id."""
    return f"runctl-{account_id}-{region}"


def ledger_url(bucket: str, owner: str) -> str:
    """Return the ``store.root`` of an owner, in a bucket."""
    return f"s3://{bucket}/{owner}"


def role_name(owner: str) -> str:
    """Return the role that an owner's instances have."""
    return f"runctl-{owner}"


def instance_profile_name(owner: str) -> str:
    """Return the instance profile that hands an owner's role to instances."""
    return role_name(owner)


def security_group_name(owner: str) -> str:
    """Return the security group of an owner's instances, in the default VPC."""
    return f"runctl-{owner}"
