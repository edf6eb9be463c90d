"""The catalogue: what AWS offers, and what it is known to cost.

Tables are read at their first use. Of the instance types only the text is kept (3.5 MB), and one
is decoded when it is asked for.
"""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec

Row = dict[str, str]


class RegionFacts(msgspec.Struct, frozen=True):
    """What is known of a region, whether or not the local cloud has it."""

    long_name: str
    country: str
    geolocation: str
    is_opt_in: bool


class Offer(msgspec.Struct, frozen=True):
    """What one region has."""

    zones: dict[str, str]
    """The id of each zone, by its name."""
    types: dict[str, str]
    """The last letters of the zones that offer a type, by its name."""


@lru_cache(maxsize=512)
def instance_type(name: str) -> dict[str, Any] | None:
    """Return a type in the form of DescribeInstanceTypes, or None."""
    text = _type_texts().get(name)
    found: dict[str, Any] | None = msgspec.json.decode(text) if text is not None else None
    return found


def read_instance_type(name: str) -> dict[str, Any]:
    """Return a known type without keeping it: for those who look at all of them."""
    found: dict[str, Any] = msgspec.json.decode(_type_texts()[name])
    return found


def instance_type_names() -> list[str]:
    """Return the name of every type."""
    return list(_type_texts())


def region_names() -> list[str]:
    """Return the regions that the local cloud has: those that no account has to ask for."""
    return list(_offer_texts())


@cache
def region_facts() -> dict[str, RegionFacts]:
    """Return every region of AWS's commercial partition."""
    text = files(__name__).joinpath("regions.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, RegionFacts])


@cache
def offer(region: str) -> Offer:
    """Return the zones of a region and what they offer; nothing of one that is not known."""
    text = _offer_texts().get(region)
    return msgspec.json.decode(text, type=Offer) if text is not None else Offer({}, {})


@cache
def prices() -> dict[tuple[str, str], Row]:
    """Return the rows of the price table by type and region."""
    return {(row["instance_type"], row["region"]): row for row in _read_csv("prices.csv")}


@cache
def service_prices() -> list[Row]:
    """Return the rows of the table of other prices."""
    return _read_csv("services.csv")


def price_of(kind: str, region: str, *, is_spot: bool) -> Decimal | None:
    """Return US dollars an hour; None where that is unknown."""
    row = prices().get((kind, region), {})
    text = row.get("spot_usd_per_hour" if is_spot else "on_demand_usd_per_hour")
    return Decimal(text) if text else None


@cache
def _type_texts() -> dict[str, msgspec.Raw]:
    return _read_texts("instance-types.json.gz")


@cache
def _offer_texts() -> dict[str, msgspec.Raw]:
    return _read_texts("offerings.json.gz")


def _read_texts(name: str) -> dict[str, msgspec.Raw]:
    text = gzip.decompress(files(__name__).joinpath(name).read_bytes())
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _read_csv(name: str) -> list[Row]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))
