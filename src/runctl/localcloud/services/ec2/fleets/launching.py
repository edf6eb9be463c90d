"""The launches of a fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.fleets.choice import Pool, in_order, pools_of
from runctl.localcloud.services.ec2.fleets.records import weight_of
from runctl.localcloud.services.ec2.instances.creation import create_instances
from runctl.localcloud.services.ec2.spot.requests import make_spot_request
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


@dataclass
class Launches:
    """What was launched, where, and what was refused."""

    made: list[tuple[Pool, Record]] = field(default_factory=list)
    refused: dict[Pool, AwsError] = field(default_factory=dict)
    is_spot: bool = False

    @property
    def capacity(self) -> float:
        return sum(weight_of(instance) for _, instance in self.made)

    def told(self) -> list[Record]:
        """Return what CreateFleet answers of the launched, one entry for each pool."""
        found: dict[Pool, Record] = {}
        for pool, instance in self.made:
            entry = {
                "LaunchTemplateAndOverrides": pool.told(),
                "Lifecycle": self._lifecycle(),
                "InstanceIds": [],
                "InstanceType": instance["InstanceType"],
            }
            found.setdefault(pool, entry)["InstanceIds"].append(instance["InstanceId"])
        return list(found.values())

    def told_errors(self) -> list[Record]:
        """Return what CreateFleet answers of the pools that refused."""
        return [
            {
                "LaunchTemplateAndOverrides": pool.told(),
                "Lifecycle": self._lifecycle(),
                "ErrorCode": error.code,
                "ErrorMessage": error.message,
            }
            for pool, error in self.refused.items()
        ]

    def _lifecycle(self) -> str:
        return "spot" if self.is_spot else "on-demand"


class _TooFew(Exception):
    """Less than what is needed was launched; it is to be undone."""


def launch(call: Call, fleet: Record, wanted: float, *, is_spot: bool) -> Launches:
    """Launch up to so much capacity; what cannot be had in one pool is tried in the next.

    With a minimum it is that at least, or nothing; with a single type or zone, the first in which
    all can be had, or else the minimum.
    """
    options = fleet["SpotOptions"] if is_spot else fleet["OnDemandOptions"]
    pools = pools_of(call, fleet["LaunchTemplateConfigs"])
    ordered = in_order(call.region, pools, options["AllocationStrategy"], is_spot=is_spot)
    outcome = Launches(is_spot=is_spot)
    for least in dict.fromkeys((wanted, options.get("MinTargetCapacity") or 0.0)):
        for group in _groups(ordered, options):
            found = _try(call, fleet, group, wanted, least, is_spot=is_spot)
            outcome.refused |= found.refused
            if found.made and found.capacity >= least:
                outcome.made = found.made
                return outcome
    return outcome


def _groups(pools: list[Pool], options: dict[str, Any]) -> list[list[Pool]]:
    """Return the pools that may serve one request together, the best first."""
    keys: list[Callable[[Pool], str]] = []
    keys += [lambda pool: pool.kind] if options.get("SingleInstanceType") else []
    keys += [lambda pool: pool.zone] if options.get("SingleAvailabilityZone") else []
    found: dict[tuple[str, ...], list[Pool]] = {}
    for pool in pools:
        found.setdefault(tuple(key(pool) for key in keys), []).append(pool)
    return list(found.values())


def _try(
    call: Call, fleet: Record, pools: list[Pool], wanted: float, least: float, *, is_spot: bool
) -> Launches:
    found = Launches(is_spot=is_spot)
    try:
        with call.attempt():
            _fill(call, fleet, pools, wanted, found)
            if found.capacity < least:
                raise _TooFew
    except _TooFew:
        found.made = []
    return found


def _fill(call: Call, fleet: Record, pools: list[Pool], wanted: float, found: Launches) -> None:
    width = _width(fleet, pools, is_spot=found.is_spot)
    while found.capacity < wanted:
        open_pools = [pool for pool in pools if pool not in found.refused][:width]
        if not open_pools:
            return
        pool = min(open_pools, key=lambda one: sum(one is made for made, _ in found.made))
        if _is_too_dear(call, fleet, pool, found):
            return
        try:
            with call.attempt():
                instance = _launch_one(call, fleet, pool, is_spot=found.is_spot)
            found.made.append((pool, instance))
        except AwsError as error:
            found.refused[pool] = _in_fleet_words(error, pool)


def _width(fleet: Record, pools: list[Pool], *, is_spot: bool) -> int:
    """Return among how many pools the instances are spread."""
    options = fleet["SpotOptions"] if is_spot else fleet["OnDemandOptions"]
    if options["AllocationStrategy"] == "diversified":
        return len(pools)
    return int(options.get("InstancePoolsToUseCount") or 1)


def _is_too_dear(call: Call, fleet: Record, pool: Pool, found: Launches) -> bool:
    """Whether one more would be above the most that the fleet may cost an hour."""
    options = fleet["SpotOptions"] if found.is_spot else fleet["OnDemandOptions"]
    if not options.get("MaxTotalPrice"):
        return False
    all_pools = [*(one for one, _ in found.made), pool]
    prices = [one.price(call.region, is_spot=found.is_spot) for one in all_pools]
    total = sum((price for price in prices if price is not None), Decimal(0))
    return total > Decimal(options["MaxTotalPrice"])


def _in_fleet_words(error: AwsError, pool: Pool) -> AwsError:
    if error.code != "Unsupported":
        return error
    return AwsError(
        "InvalidFleetConfiguration",
        f"Your requested instance type ({pool.kind}) is not supported in your requested "
        f"Availability Zone ({pool.zone}).",
    )


def _launch_one(call: Call, fleet: Record, pool: Pool, *, is_spot: bool) -> Record:
    own = {"Key": "aws:ec2:fleet-id", "Value": fleet["FleetId"]}
    parameters = {
        **pool.parameters,
        "TagSpecifications": fleet["_TagSpecifications"],
        "_SystemTags": [*pool.parameters.get("_SystemTags", []), own],
    }
    [instance] = create_instances(call, parameters, 1, is_spot=is_spot)
    instance |= {
        "_Fleet": fleet["FleetId"],
        "_RequesterId": "ec2fleet",
        "_Weight": pool.weight,
    }
    if is_spot:
        behaviour = fleet["SpotOptions"]["InstanceInterruptionBehavior"]
        options = {
            "InstanceInterruptionBehavior": behaviour,
            "MaxPrice": pool.override.get("MaxPrice"),
        }
        make_spot_request(call, instance, options, parameters)
    return instance
