"""Who calls, and where."""

from __future__ import annotations

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import ConfigError
from runctl.providers.aws.setup.place import who_calls


def look_at_caller(account: Account) -> str:
    """Say who is signed in; AuthError where nobody is."""
    return who_calls(account)["Arn"]


def look_at_region(account: Account) -> str:
    """Say which region is called; ConfigError where the account has not opted in to it."""
    region = account.region
    with translated(f"the region {region} cannot be looked at"):
        told = account.client("ec2").describe_regions(RegionNames=[region], AllRegions=True)
    if any(one.get("OptInStatus") == "not-opted-in" for one in told["Regions"]):
        raise ConfigError(
            f"the account has not opted in to {region}",
            hint=f"aws account enable-region --region-name {region}",
        )
    return region
