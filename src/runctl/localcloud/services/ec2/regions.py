"""Regions and their zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import offer, region_facts, region_names
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_REGION_FILTERS: Mapping[str, Filter] = {
    "endpoint": path("Endpoint"),
    "opt-in-status": path("OptInStatus"),
    "region-name": path("RegionName"),
}
_ZONE_FILTERS: Mapping[str, Filter] = {
    "group-long-name": path("GroupLongName"),
    "group-name": path("GroupName"),
    "message": path("Messages", "Message"),
    "opt-in-status": path("OptInStatus"),
    "parent-zone-id": path("ParentZoneId"),
    "parent-zone-name": path("ParentZoneName"),
    "region-name": path("RegionName"),
    "state": path("State"),
    "zone-id": path("ZoneId"),
    "zone-name": path("ZoneName"),
    "zone-type": path("ZoneType"),
}


def zones_of(region: str) -> dict[str, str]:
    """Return the ids of a region's zones, by name; none of a region that is not known."""
    return offer(region).zones


def check_zone(region: str, zone: str) -> None:
    """Raise what AWS answers to a zone that the region does not have."""
    if zone not in zones_of(region):
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")


@operation("ec2", "DescribeRegions")
def describe_regions(call: Call) -> dict[str, Any]:
    """List the regions that are enabled for the account; all, or those named, if that is asked."""
    named = call.get("RegionNames")
    unknown = [name for name in named or () if name not in region_facts()]
    if unknown:
        raise AwsError("InvalidParameterValue", f"Invalid region: [{', '.join(unknown)}]")
    names = named or (region_facts() if call.get("AllRegions") else region_names())
    found = [_region(name) for name in dict.fromkeys(names)]
    return {"Regions": apply(_REGION_FILTERS, call.get("Filters"), found)}


def _region(name: str) -> Record:
    return {
        "RegionName": name,
        "Endpoint": f"ec2.{name}.amazonaws.com",
        "OptInStatus": "not-opted-in" if region_facts()[name].is_opt_in else "opt-in-not-required",
    }


@operation("ec2", "DescribeAvailabilityZones")
def describe_availability_zones(call: Call) -> dict[str, Any]:
    """List the zones of the region. It has no local zones and no Wavelength zones."""
    found = [_zone(call.region, name, ident) for name, ident in zones_of(call.region).items()]
    for member, parameter in (("ZoneName", "ZoneNames"), ("ZoneId", "ZoneIds")):
        wanted = call.get(parameter)
        unknown = [one for one in wanted or () if one not in {zone[member] for zone in found}]
        if unknown:
            words = ", ".join(unknown)
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{words}]")
        found = [zone for zone in found if not wanted or zone[member] in wanted]
    return {"AvailabilityZones": apply(_ZONE_FILTERS, call.get("Filters"), found)}


def _zone(region: str, name: str, ident: str) -> Record:
    return {
        "ZoneName": name,
        "ZoneId": ident,
        "RegionName": region,
        "GroupName": f"{region}-zg-1",
        "GroupLongName": f"{region_facts()[region].long_name} 1",
        "NetworkBorderGroup": region,
        "OptInStatus": "opt-in-not-required",
        "State": "available",
        "ZoneType": "availability-zone",
        "Messages": [],
    }
