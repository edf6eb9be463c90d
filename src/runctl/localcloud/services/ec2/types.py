"""Instance types, and where they are offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import instance_type, instance_type_names, offer, read_instance_type
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.services.ec2.typefilters import TYPE_FILTERS
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_OFFERING_FILTERS: Mapping[str, Filter] = {
    "instance-type": path("InstanceType"),
    "location": path("Location"),
}
_PAGE = 100


def type_of(name: str) -> Record:
    """Return an instance type; raise what RunInstances answers to one that does not exist."""
    found = instance_type(name)
    if found is None:
        raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    return found


def vcpus(name: str) -> int:
    """Return the number of virtual processors of a type."""
    return int(type_of(name)["VCpuInfo"]["DefaultVCpus"])


def cpu_options(name: str) -> Record:
    """Return how the processors of a type are made, unless a launch wishes otherwise."""
    cpu = type_of(name)["VCpuInfo"]
    return {"CoreCount": cpu["DefaultCores"], "ThreadsPerCore": cpu["DefaultThreadsPerCore"]}


def offered_zones(region: str, name: str) -> list[str]:
    """Return the zones of a region that offer a type."""
    letters = offer(region).types.get(name, "")
    return [zone for zone in zones_of(region) if zone[-1] in letters]


@operation("ec2", "DescribeInstanceTypes")
def describe_instance_types(call: Call) -> dict[str, Any]:
    """List the types that the region offers, or all that AWS has."""
    offered = offer(call.region).types
    known = instance_type_names() if call.get("IncludeUnsupportedInRegion") else list(offered)
    wanted, filters = call.get("InstanceTypes"), call.get("Filters")
    _check_known(wanted or (), known)
    names = list(dict.fromkeys(wanted or known))
    found = [{"InstanceType": name} for name in (_matching(names, filters) if filters else names)]
    answer = page(call, "InstanceTypes", found, sort_by="InstanceType", high=_PAGE, default=_PAGE)
    answer["InstanceTypes"] = [
        {**read_instance_type(name), "SupportedInRegion": name in offered}
        for name in (one["InstanceType"] for one in answer["InstanceTypes"])
    ]
    return answer


def _check_known(wanted: Iterable[str], known: list[str]) -> None:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise AwsError(
            "InvalidInstanceType",
            f"The following supplied instance types do not exist: [{', '.join(unknown)}]",
        )


def _matching(names: list[str], filters: list[Mapping[str, Any]]) -> list[str]:
    """Return the types that match; one at a time, so that they are not all in memory."""
    apply(TYPE_FILTERS, filters, [])
    return [name for name in names if apply(TYPE_FILTERS, filters, [read_instance_type(name)])]


@operation("ec2", "DescribeInstanceTypeOfferings")
def describe_instance_type_offerings(call: Call) -> dict[str, Any]:
    """List which types are offered where: in the region, in its zones."""
    kind = call.get("LocationType", "region")
    found = [
        {"InstanceType": name, "LocationType": kind, "Location": place, "_Id": f"{name} {place}"}
        for name in offer(call.region).types
        for place in _places(call.region, kind, name)
    ]
    found = apply(_OFFERING_FILTERS, call.get("Filters"), found)
    return page(call, "InstanceTypeOfferings", found, sort_by="_Id", default=1000)


def _places(region: str, kind: str, name: str) -> list[str]:
    if kind == "region":
        return [region]
    names = offered_zones(region, name)
    if kind == "availability-zone-id":
        return [zones_of(region)[zone] for zone in names]
    return names if kind == "availability-zone" else []
