"""Volumes of EBS: which are attached to what, which would stay, what each costs a month."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG, PROTECTED_TAG
from runctl.errors import RunctlError
from runctl.model.instance import Volume
from runctl.providers.aws.prices import listed_price

_MONTHLY = ("GB-Mo", "GB-month")
_FREE_IOPS, _FREE_MIBPS = 3000, 125  # of a gp3 volume of any size
_WITHOUT_EXTRAS = frozenset({"gp2", "st1", "sc1", "standard"})
_PAGE = 500  # the most that DescribeVolumes gives at once

Prices = Callable[[str, str], Decimal | None]


def list_volumes(account: Account, owner: str, *filters: Mapping[str, Any]) -> list[Volume]:
    """Return the volumes that pass the filters of DescribeVolumes, as they are attached."""
    pages = account.client("ec2").get_paginator("describe_volumes")
    asked = pages.paginate(Filters=list(filters), PaginationConfig={"PageSize": _PAGE})
    with translated("the volumes cannot be listed"):
        told = [one for page in asked for one in page["Volumes"]]
    prices = _prices(account)
    return [_read(one, owner, prices) for one in told]


def monthly_price(account: Account, told: Mapping[str, Any]) -> Decimal | None:
    """Return what a volume costs a month that is described so; None is unknown."""
    return _monthly(told, _prices(account))


def _read(told: Mapping[str, Any], owner: str, prices: Prices) -> Volume:
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
    held: Mapping[str, Any] = next(iter(told.get("Attachments", [])), {})
    return Volume(
        provider="aws",
        volume_id=told["VolumeId"],
        type=told["VolumeType"],
        gib=told["Size"],
        usd_per_month=_monthly(told, prices),
        place=told["AvailabilityZone"],
        name=tags.get("Name"),
        instance_id=held.get("InstanceId"),
        device=held.get("Device"),
        is_kept=not held.get("DeleteOnTermination", False),
        state=told["State"],
        is_attached=held.get("State") == "attached",
        is_ours=tags.get(OWNER_TAG) == owner,
        is_protected=PROTECTED_TAG in tags,
        snapshot=told.get("SnapshotId") or None,
    )


def _monthly(told: Mapping[str, Any], prices: Prices) -> Decimal | None:
    """Return what it costs a month; None where any part of that is not known."""
    type_, storage = told["VolumeType"], prices("Storage", told["VolumeType"])
    if storage is None or (type_ != "gp3" and type_ not in _WITHOUT_EXTRAS):
        return None  # of io1 and io2 the price of an IOPS falls in tiers
    total: Decimal = storage * told["Size"]
    if type_ == "gp3":
        for kind, extra in (
            ("System Operation", told.get("Iops", 0) - _FREE_IOPS),
            ("Provisioned Throughput", told.get("Throughput", 0) - _FREE_MIBPS),
        ):
            price = prices(kind, type_) if extra > 0 else Decimal(0)
            if price is None:
                return None
            total += price * max(extra, 0)
    return total


def _prices(account: Account) -> Prices:
    """Return what tells prices by family and type; each is looked up once."""

    @cache
    def told(family: str, type_: str) -> Decimal | None:
        wanted = {"productFamily": family, "volumeApiName": type_}
        with suppress(RunctlError):  # unknown, where the price list may not be read
            if family == "Storage":
                return listed_price(account, wanted, _MONTHLY, type_)
            if family == "System Operation":
                return listed_price(account, wanted, ("IOPS-Mo",), type_)
            price = listed_price(account, wanted, ("GiBps-mo",), type_)
            return None if price is None else price / 1024
        return None

    return told
