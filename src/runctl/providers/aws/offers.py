"""Which types can be rented where, for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import NotFoundError, UsageError
from runctl.model.instance import Offer
from runctl.model.wish import InstanceWish
from runctl.providers.aws.prices import on_demand_price, spot_prices

_MIB = 1024**2


def list_offers(account: Account, wish: InstanceWish) -> list[Offer]:
    """Return the offers for the wished types in the wished zones, cheapest first."""
    if not wish.types:
        raise UsageError("no instance type is named", hint="--instance-type t3.micro")
    types = describe_types(account, wish.types)
    prices = _prices(account, wish)
    subnet_zone = _zone_of(account, wish.subnet) if wish.subnet else None
    offers = [
        _offer(types[type_], zone, prices(type_, zone), is_spot=wish.is_spot)
        for type_, zone in _places(account, wish)
        if subnet_zone in (None, zone)  # RunInstances refuses a subnet of another zone
    ]
    if not offers:
        raise NotFoundError(
            f"{', '.join(wish.types)} cannot be had in {_where(account, wish)}",
            hint="choose another --zone, --subnet or --instance-type",
        )
    return sorted(offers, key=_rank)


def _where(account: Account, wish: InstanceWish) -> str:
    place = ", ".join(wish.zones) or account.region
    return f"{place} within the subnet {wish.subnet}" if wish.subnet else place


def describe_types(account: Account, types: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    with translated(f"the instance type {', '.join(types)} cannot be described"):
        told = account.client("ec2").describe_instance_types(InstanceTypes=list(types))
    return {one["InstanceType"]: one for one in told["InstanceTypes"]}


def architecture_of(told: Mapping[str, Any]) -> str:
    """Return what the images of a type are for: its first architecture of 64 bits."""
    listed = told["ProcessorInfo"]["SupportedArchitectures"]
    # Older types, such as t2.micro, list i386 first: no image of ours is for it.
    return str(next((one for one in listed if one != "i386"), listed[0]))


def _places(account: Account, wish: InstanceWish) -> list[tuple[str, str]]:
    filters = [{"Name": "instance-type", "Values": list(wish.types)}]
    if wish.zones:
        filters.append({"Name": "location", "Values": list(wish.zones)})
    pages = account.client("ec2").get_paginator("describe_instance_type_offerings")
    with translated("where the instance type is offered cannot be told"):
        told = [
            one
            for page in pages.paginate(LocationType="availability-zone", Filters=filters)
            for one in page["InstanceTypeOfferings"]
        ]
    return [(one["InstanceType"], one["Location"]) for one in told]


def _zone_of(account: Account, subnet: str) -> str:
    with translated(f"the subnet {subnet} cannot be described"):
        told = account.client("ec2").describe_subnets(SubnetIds=[subnet])
    return str(told["Subnets"][0]["AvailabilityZone"])


def _prices(account: Account, wish: InstanceWish) -> Any:
    if wish.is_spot:
        spot = spot_prices(account, wish.types)
        return lambda type_, zone: spot.get((type_, zone))
    known = {type_: on_demand_price(account, type_) for type_ in wish.types}
    return lambda type_, _zone: known[type_]


def _offer(told: Mapping[str, Any], zone: str, price: Decimal | None, *, is_spot: bool) -> Offer:
    gpus = told.get("GpuInfo", {}).get("Gpus", [])
    return Offer(
        provider="aws",
        type=told["InstanceType"],
        place=zone,
        usd_per_hour=price,
        cpus=told["VCpuInfo"]["DefaultVCpus"],
        memory_bytes=told["MemoryInfo"]["SizeInMiB"] * _MIB,
        gpus=tuple(gpu["Name"] for gpu in gpus for _ in range(gpu["Count"])),
        is_spot=is_spot,
    )


def _rank(offer: Offer) -> tuple[bool, Decimal, str, str]:
    price = offer.usd_per_hour
    return (price is None, price or Decimal(0), offer.type, offer.place)
