"""What instances cost, in US dollars an hour; what nobody tells is unknown, and never 0."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import RunctlError

_PRICING_REGION = "us-east-1"  # one of the three that the price list is served from
_AT_ONCE = 8
_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


@dataclass(frozen=True)
class Prices:
    """By type, and by type and zone; ``note`` is why some are missing, where that is known."""

    on_demand: Mapping[str, Decimal]
    spot: Mapping[tuple[str, str], Decimal]
    note: str | None = None


def look_up_prices(account: Account, types: Sequence[str], *, is_spot: bool) -> Prices:
    """Return the prices of now, of both markets if ``is_spot``.

    Who may not read the price list may rent all the same: that is a note, and no error.
    """
    notes: list[str] = []
    spot: Mapping[tuple[str, str], Decimal] = {}
    if is_spot:
        try:
            spot = _spot_prices(account, types)
        except RunctlError as error:
            notes.append(error.message)
    try:
        on_demand = _on_demand_prices(account, types)
    except RunctlError as error:
        on_demand = {}
        notes.append(error.message)
    return Prices(on_demand, spot, notes[0] if notes else None)


def _on_demand_prices(account: Account, types: Sequence[str]) -> dict[str, Decimal]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda type_: _on_demand_price(account, type_), types)
        told = dict(zip(types, found, strict=True))
    return {type_: price for type_, price in told.items() if price is not None}


def _on_demand_price(account: Account, type_: str) -> Decimal | None:
    """Return the price of a Linux instance on demand in the account's region."""
    return listed_price(account, _LINUX | {"instanceType": type_}, {"Hrs"}, type_)


def listed_price(
    account: Account,
    wanted: Mapping[str, str],
    units: Collection[str],
    what: str,
    *,
    usage: str = "",
) -> Decimal | None:
    """Return the least price for a unit of what has these attributes, in the account's region.

    ``usage`` is how its usage type ends, which begins with the region.
    """
    filters = [
        {"Type": "TERM_MATCH", "Field": key, "Value": value}
        for key, value in {**wanted, "regionCode": account.region}.items()
    ]
    with translated(f"the price of {what} cannot be told"):
        client = account.client("pricing", region=_PRICING_REGION)
        told = client.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
    meant = [one for one in map(json.loads, told) if _usage_of(one).endswith(usage)]
    return min(_prices(meant, units), default=None)


def _usage_of(product: Mapping[str, Any]) -> str:
    return str(product["product"]["attributes"].get("usagetype", ""))


def _prices(told: Sequence[Mapping[str, Any]], units: Collection[str]) -> Iterator[Decimal]:
    for product in told:
        for term in product.get("terms", {}).get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                price = _read(dimension["pricePerUnit"].get("USD", "0"))
                if dimension["unit"] in units and price > 0:
                    yield price


def _spot_prices(account: Account, types: Sequence[str]) -> dict[tuple[str, str], Decimal]:
    pages = account.client("ec2").get_paginator("describe_spot_price_history")
    asked: dict[str, Any] = {
        "InstanceTypes": list(types),
        "ProductDescriptions": ["Linux/UNIX"],
        "StartTime": datetime.now(UTC),
    }
    with translated("spot prices cannot be told"):
        told = [one for page in pages.paginate(**asked) for one in page["SpotPriceHistory"]]
    return {(one["InstanceType"], one["AvailabilityZone"]): _read(one["SpotPrice"]) for one in told}


def _read(text: str) -> Decimal:
    """Read a price without the zeros that it ends in."""
    return Decimal(f"{Decimal(text).normalize():f}")
