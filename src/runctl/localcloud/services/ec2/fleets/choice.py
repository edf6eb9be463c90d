"""Which type and zone a fleet tries, in which order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.data import price_of
from runctl.localcloud.services.ec2.launchtemplates import resolve
from runctl.localcloud.services.ec2.types import offered_zones
from runctl.localcloud.state.records import Record

_UNKNOWN = Decimal(10**9)


def pools_of(call: Call, configs: list[dict[str, Any]]) -> list[Record]:
    """Return what the fleet may launch: parameters of RunInstances, for each override or template.

    An override without a zone stands for every zone that offers its type.
    """
    pools = []
    for config in configs:
        specification = config["LaunchTemplateSpecification"]
        template = resolve(call, specification)
        for override in config.get("Overrides") or [{}]:
            parameters = {**template, **_parameters_of(override)}
            pools += [
                {
                    "Parameters": one,
                    "Override": override,
                    "Specification": specification,
                    "Priority": override.get("Priority", 0.0),
                }
                for one in _in_zones(call.region, parameters)
            ]
    return pools


def _parameters_of(override: dict[str, Any]) -> dict[str, Any]:
    names = ("InstanceType", "SubnetId", "ImageId", "Placement")
    found = {name: override[name] for name in names if override.get(name)}
    if override.get("AvailabilityZone"):
        found["Placement"] = {"AvailabilityZone": override["AvailabilityZone"]}
    return found


def _in_zones(region: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    has_zone = parameters.get("Placement", {}).get("AvailabilityZone")
    if has_zone or parameters.get("SubnetId"):
        return [parameters]
    zones = offered_zones(region, parameters.get("InstanceType", "m1.small"))
    return [{**parameters, "Placement": {"AvailabilityZone": zone}} for zone in zones] or [
        parameters
    ]


def in_order(region: str, pools: list[Record], strategy: str, *, is_spot: bool) -> list[Record]:
    """Return pools, the one to be tried first in front; an unknown price is the highest."""
    if strategy in ("prioritized", "capacity-optimized-prioritized"):
        return sorted(pools, key=lambda pool: float(pool["Priority"]))
    if strategy == "capacity-optimized":
        return pools

    def price(pool: Record) -> Decimal:
        kind = pool["Parameters"].get("InstanceType", "m1.small")
        known = price_of(kind, region, is_spot=is_spot)
        return _UNKNOWN if known is None else known

    return sorted(pools, key=price)
