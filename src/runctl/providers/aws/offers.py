"""Which types can be rented where, for how much."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import NotFoundError
from runctl.model.instance import Offer
from runctl.model.wish import InstanceWish
from runctl.providers.aws.prices import Prices, look_up_prices
from runctl.providers.aws.types import Told, find_types, gpus_of

MOST_TYPES = 10
_MIB = 1024**2


def list_offers(account: Account, wish: InstanceWish) -> list[Offer]:
    """Return the offers for the types that fit, in the wished zones, cheapest first.

    Of types that were not named, no more than ten: those with the cheapest offers.
    """
    types = find_types(account, wish)
    places = _places(account, wish, list(types))
    if not places:
        raise NotFoundError(
            f"{', '.join(types)} cannot be had in {_where(account, wish)}",
            hint="choose another --zone, --subnet or --instance-type",
        )
    prices = look_up_prices(account, sorted({type_ for type_, _ in places}), is_spot=wish.is_spot)
    offers = [_offer(types[type_], zone, prices, is_spot=wish.is_spot) for type_, zone in places]
    ranked = sorted(offers, key=_rank)
    kept = list(dict.fromkeys(one.type for one in ranked))[: len(wish.types) or MOST_TYPES]
    return [one for one in ranked if one.type in kept]


def _where(account: Account, wish: InstanceWish) -> str:
    place = ", ".join(wish.zones) or account.region
    return f"{place} within the subnet {wish.subnet}" if wish.subnet else place


def _places(account: Account, wish: InstanceWish, types: Sequence[str]) -> list[tuple[str, str]]:
    """Return each type with each zone that has it; a subnet has but one zone."""
    filters = [{"Name": "instance-type", "Values": list(types)}]
    if wish.zones:
        filters.append({"Name": "location", "Values": list(wish.zones)})
    pages = account.client("ec2").get_paginator("describe_instance_type_offerings")
    with translated("where the instance type is offered cannot be told"):
        told = [
            (one["InstanceType"], one["Location"])
            for page in pages.paginate(LocationType="availability-zone", Filters=filters)
            for one in page["InstanceTypeOfferings"]
        ]
    if wish.subnet is None:
        return told
    zone = _zone_of(account, wish.subnet)  # RunInstances refuses a subnet of another
    return [one for one in told if one[1] == zone]


def _zone_of(account: Account, subnet: str) -> str:
    with translated(f"the subnet {subnet} cannot be described", hint="aws ec2 describe-subnets"):
        told = account.client("ec2").describe_subnets(SubnetIds=[subnet])
    return str(told["Subnets"][0]["AvailabilityZone"])


def _offer(told: Told, zone: str, prices: Prices, *, is_spot: bool) -> Offer:
    type_ = told["InstanceType"]
    on_demand = prices.on_demand.get(type_)
    usd = prices.spot.get((type_, zone)) if is_spot else on_demand
    return Offer(
        provider="aws",
        type=type_,
        place=zone,
        usd_per_hour=usd,
        cpus=told["VCpuInfo"]["DefaultVCpus"],
        memory_bytes=told["MemoryInfo"]["SizeInMiB"] * _MIB,
        gpus=gpus_of(told),
        is_spot=is_spot,
        on_demand_usd_per_hour=on_demand if is_spot else None,
        note=None if usd is not None else prices.note or "AWS's lists do not have its price",
    )


def _rank(offer: Offer) -> tuple[bool, Decimal, str, str]:
    price = offer.usd_per_hour
    return (price is None, price or Decimal(0), offer.type, offer.place)
