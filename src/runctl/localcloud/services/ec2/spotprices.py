"""The history of spot prices: one price for each zone that offers a type, where it is known.

The table has one price for a region, so every zone has that one; what it lacks has no history.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import price_of, prices
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.regions import check_zone, zones_of
from runctl.localcloud.services.ec2.types import offered_zones, type_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_PRODUCT = "Linux/UNIX"
_PRODUCTS = {_PRODUCT, "Linux/UNIX (Amazon VPC)"}
"""The names of what the table has the prices of; the second is of the days before VPCs."""
_DAY_S = 86400
_FILTERS: Mapping[str, Filter] = {
    "availability-zone": path("AvailabilityZone"),
    "availability-zone-id": path("AvailabilityZoneId"),
    "instance-type": path("InstanceType"),
    "product-description": lambda record: _PRODUCTS if record else (),
    "spot-price": path("SpotPrice"),
    "timestamp": path("Timestamp"),
}


@operation("ec2", "DescribeSpotPriceHistory")
def describe_spot_price_history(call: Call) -> dict[str, Any]:
    """List the prices that held from the start to the end, newest first.

    As on AWS that begins with the last change before the start, and no later one is known.
    """
    products = set(call.get("ProductDescriptions") or _PRODUCTS)
    zones, end = _zones(call), _end(call)
    known = [kind for kind, region in prices() if region == call.region]
    names = [type_of(name)["InstanceType"] for name in call.get("InstanceTypes", [])] or known
    found = [
        record
        for name in dict.fromkeys(names)
        for record in _history(call.region, name, end)
        if products & _PRODUCTS and record["AvailabilityZone"] in zones
    ]
    found = apply(_FILTERS, call.get("Filters"), found)
    answer = page(call, "SpotPriceHistory", found, sort_by="_Order", low=1, default=1000)
    return {"NextToken": "", **answer}


def _end(call: Call) -> float:
    now = call.cloud.clock()
    return float(min(call.get("EndTime") or now, now))


def _zones(call: Call) -> set[str]:
    known = zones_of(call.region)
    zone, ident = call.get("AvailabilityZone"), call.get("AvailabilityZoneId")
    if zone and ident:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter AvailabilityZone cannot be used with the parameter AvailabilityZoneId",
        )
    if zone:
        check_zone(call.region, zone)
        return {zone}
    if ident:
        found = {name for name, one in known.items() if one == ident}
        if not found:
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{ident}]")
        return found
    return set(known)


def _history(region: str, name: str, end: float) -> Iterator[Record]:
    price = price_of(name, region, is_spot=True)
    if price is None:
        return
    for zone in offered_zones(region, name):
        moment = _last_change(zone, name, end)
        yield {
            "AvailabilityZone": zone,
            "AvailabilityZoneId": zones_of(region)[zone],
            "InstanceType": name,
            "ProductDescription": _PRODUCT,
            "SpotPrice": f"{price:.6f}",
            "Timestamp": moment,
            "_Order": f"{10**12 - moment:015.0f} {name} {zone}",
        }


def _last_change(zone: str, name: str, end: float) -> float:
    """Return when this zone's price was set last: once a day, at a time of its own."""
    offset = zlib.crc32(f"{zone} {name}".encode()) % _DAY_S
    return float((end - offset) // _DAY_S * _DAY_S + offset)
