"""Whether the account's quota leaves room for one more instance of a type."""

from __future__ import annotations

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import CapacityError, NotFoundError
from runctl.providers.aws.preflight.judging import NotKnown
from runctl.providers.aws.quotas import Quota, quota_of
from runctl.providers.aws.types import describe_types


def look_at_quota(account: Account, type_: str, *, is_spot: bool) -> str:
    """Say how much is left of it; CapacityError where that is not enough."""
    quota = quota_of(type_, is_spot=is_spot)
    wanted = _processors(account, [type_])[type_]
    value, used = _value(account, quota), _used(account, quota, is_spot=is_spot)
    told = f"{quota.name}: {used} of {value} virtual processors in use, {type_} has {wanted}"
    if used + wanted > value:
        raise CapacityError(
            told,
            hint="aws service-quotas request-service-quota-increase --service-code ec2 "
            f"--quota-code {quota.code} --desired-value {used + wanted} --region {account.region}",
            quota=quota.code,
        )
    return told


def _value(account: Account, quota: Quota) -> int:
    try:
        with translated(f"the quota {quota.code} cannot be looked up"):
            told = account.client("service-quotas").get_service_quota(
                ServiceCode="ec2", QuotaCode=quota.code
            )
    except NotFoundError as error:
        raise NotKnown(f"{account.region} tells no quota {quota.code} ({quota.name})") from error
    return int(told["Quota"]["Value"])


def _used(account: Account, quota: Quota, *, is_spot: bool) -> int:
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    pages = account.client("ec2").get_paginator("describe_instances")
    with translated("what runs cannot be listed"):
        groups = [one for page in pages.paginate(Filters=filters) for one in page["Reservations"]]
    types = [
        one["InstanceType"]
        for group in groups
        for one in group["Instances"]
        if (one.get("InstanceLifecycle") == "spot") == is_spot
        and quota_of(one["InstanceType"], is_spot=is_spot) == quota
    ]
    processors = _processors(account, sorted(set(types)))
    return sum(processors[one] for one in types)


def _processors(account: Account, types: list[str]) -> dict[str, int]:
    found = describe_types(account, types)
    return {name: int(told["VCpuInfo"]["DefaultVCpus"]) for name, told in found.items()}
