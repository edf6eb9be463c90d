"""The catalogue: what AWS offers, and what it is known to cost."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

Row = dict[str, str]


@cache
def instance_types() -> dict[str, dict[str, Any]]:
    """Return every instance type by name, in the form of DescribeInstanceTypes."""
    found: dict[str, dict[str, Any]] = _read_json("instance-types.json.gz")
    return found


@cache
def offerings() -> dict[str, dict[str, dict[str, str]]]:
    """Return by region: ``zones`` (id by name), ``types`` (last letters of zones by type)."""
    found: dict[str, dict[str, dict[str, str]]] = _read_json("offerings.json.gz")
    return found


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


def _read_json(name: str) -> Any:
    return msgspec.json.decode(gzip.decompress(files(__name__).joinpath(name).read_bytes()))


def _read_csv(name: str) -> list[Row]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))
