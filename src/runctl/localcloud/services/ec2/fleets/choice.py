"""Which type and zone a fleet tries, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.data import price_of
from runctl.localcloud.services.ec2.launchtemplates import resolve
from runctl.localcloud.services.ec2.spot.requests import DEFAULT_TYPE
from runctl.localcloud.services.ec2.types import offered_zones, type_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_UNKNOWN = Decimal(10**9)
_LAST = float("inf")
_OVERRIDDEN = ("InstanceType", "ImageId", "Placement")


@dataclass(frozen=True, eq=False)
class Pool:
    """What a fleet may launch: one type in one zone."""

    parameters: dict[str, Any]
    """In the form of RunInstances'."""
    override: dict[str, Any]
    specification: dict[str, Any]
    kind: str
    zone: str

    @property
    def weight(self) -> float:
        return float(self.override.get("WeightedCapacity") or 1.0)

    @property
    def priority(self) -> float:
        return float(self.override.get("Priority", _LAST))

    def price(self, region: str, *, is_spot: bool) -> Decimal | None:
        """Return US dollars an hour; None where that is unknown."""
        return price_of(self.kind, region, is_spot=is_spot)

    def told(self) -> Record:
        """Return what CreateFleet answers of it."""
        place = {"InstanceType": self.kind, "AvailabilityZone": self.zone or None}
        overrides = {**self.override, **place}
        return {"LaunchTemplateSpecification": self.specification, "Overrides": overrides}


def pools_of(call: Call, configs: list[dict[str, Any]]) -> list[Pool]:
    """Return what the templates and their overrides allow, in the order in which they stand.

    Where no zone is named, every zone that offers the type is a pool.
    """
    pools: list[Pool] = []
    for config in configs:
        specification = config["LaunchTemplateSpecification"]
        template = resolve(call, specification)
        template.pop("InstanceMarketOptions", None)  # the fleet says what is spot
        for override in config.get("Overrides") or [{}]:
            pools += _of_override(call, template, override, specification)
    return pools


def _of_override(
    call: Call, template: dict[str, Any], override: dict[str, Any], specification: dict[str, Any]
) -> Iterator[Pool]:
    changed = {name: override[name] for name in _OVERRIDDEN if override.get(name)}
    parameters = {**template, **changed}
    kind = parameters.get("InstanceType", DEFAULT_TYPE)
    type_of(kind)
    for placed, zone in _placed(call, parameters, override, kind):
        yield Pool(placed, override, specification, kind, zone)


def _placed(
    call: Call, parameters: dict[str, Any], override: dict[str, Any], kind: str
) -> Iterator[tuple[dict[str, Any], str]]:
    subnets = override.get("SubnetId") or _subnet_of(parameters)
    if subnets:
        for subnet in _listed(subnets):
            yield _with_subnet(parameters, subnet), _zone_of(call, subnet)
        return
    placement = parameters.get("Placement", {})
    named = override.get("AvailabilityZone") or placement.get("AvailabilityZone")
    zones = _listed(named) if named else offered_zones(call.region, kind)
    for zone in zones or [""]:  # what is offered nowhere is refused when it is launched
        yield {**parameters, "Placement": {**placement, "AvailabilityZone": zone}}, zone


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",")]


def _subnet_of(parameters: dict[str, Any]) -> str | None:
    interfaces = parameters.get("NetworkInterfaces") or [{}]
    found: str | None = parameters.get("SubnetId") or interfaces[0].get("SubnetId")
    return found


def _with_subnet(parameters: dict[str, Any], subnet: str) -> dict[str, Any]:
    """Name the subnet where the template does: at its interface, if it has one."""
    interfaces = parameters.get("NetworkInterfaces")
    if interfaces:
        return {**parameters, "NetworkInterfaces": [{**interfaces[0], "SubnetId": subnet}]}
    return {**parameters, "SubnetId": subnet}


def _zone_of(call: Call, ident: str) -> str:
    subnet = call.table("subnet").get(ident)
    if subnet is None:
        raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{ident}' does not exist")
    return str(subnet["AvailabilityZone"])


def in_order(region: str, pools: list[Pool], strategy: str, *, is_spot: bool) -> list[Pool]:
    """Return pools, the one to be tried first in front; an unknown price is the highest.

    A spot price that is unknown is at most the price on demand, and counts as that. Of capacity
    nothing is known beforehand: where it alone decides, pools stay as they stand.
    """
    if strategy in ("prioritized", "capacity-optimized-prioritized"):
        return sorted(pools, key=lambda pool: pool.priority)
    if strategy in ("capacity-optimized", "diversified"):
        return pools

    def unit_price(pool: Pool) -> Decimal:
        price = pool.price(region, is_spot=is_spot)
        if price is None and is_spot:
            price = pool.price(region, is_spot=False)
        return _UNKNOWN if price is None else price / Decimal(str(pool.weight))

    return sorted(pools, key=unit_price)
