"""Regions and their zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import offerings
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_REGION_FILTERS: Mapping[str, Filter] = {
    "endpoint": path("Endpoint"),
    "opt-in-status": path("OptInStatus"),
    "region-name": path("RegionName"),
}
_ZONE_FILTERS: Mapping[str, Filter] = {
    "group-name": path("GroupName"),
    "opt-in-status": path("OptInStatus"),
    "region-name": path("RegionName"),
    "state": path("State"),
    "zone-id": path("ZoneId"),
    "zone-name": path("ZoneName"),
    "zone-type": path("ZoneType"),
}


def zones_of(region: str) -> dict[str, str]:
    """Return the ids of a region's zones, by name; none of a region that is not known."""
    known = offerings().get(region)
    return known["zones"] if known else {}


def check_zone(region: str, zone: str) -> None:
    """Raise what AWS answers to a zone that the region does not have."""
    if zone not in zones_of(region):
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid availability zone: [{zone}]",
        )


@operation("ec2", "DescribeRegions")
def describe_regions(call: Call) -> dict[str, Any]:
    """List the regions that the local cloud has."""
    wanted = call.get("RegionNames")
    unknown = [name for name in wanted or () if name not in offerings()]
    if unknown:
        raise AwsError("InvalidParameterValue", f"Invalid region names: [{', '.join(unknown)}]")
    found = [_region(name) for name in offerings() if not wanted or name in wanted]
    return {"Regions": apply(_REGION_FILTERS, call.get("Filters"), found)}


def _region(name: str) -> Record:
    return {
        "RegionName": name,
        "Endpoint": f"ec2.{name}.amazonaws.com",
        "OptInStatus": "opt-in-not-required",
    }


@operation("ec2", "DescribeAvailabilityZones")
def describe_availability_zones(call: Call) -> dict[str, Any]:
    """List the zones of the region."""
    found = [_zone(call.region, name, ident) for name, ident in zones_of(call.region).items()]
    for member, parameter in (("ZoneName", "ZoneNames"), ("ZoneId", "ZoneIds")):
        wanted = call.get(parameter)
        unknown = set(wanted or ()) - {zone[member] for zone in found}
        if unknown:
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{min(unknown)}]")
        found = [zone for zone in found if not wanted or zone[member] in wanted]
    return {"AvailabilityZones": apply(_ZONE_FILTERS, call.get("Filters"), found)}


def _zone(region: str, name: str, ident: str) -> Record:
    return {
        "ZoneName": name,
        "ZoneId": ident,
        "RegionName": region,
        "GroupName": f"{region}-zg-1",
        "NetworkBorderGroup": region,
        "OptInStatus": "opt-in-not-required",
        "State": "available",
        "ZoneType": "availability-zone",
        "Messages": [],
    }
