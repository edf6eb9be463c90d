"""The launches of a fleet."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.fleets.choice import in_order, pools_of
from runctl.localcloud.services.ec2.instances.creation import create_instances
from runctl.localcloud.services.ec2.spot.requests import make_spot_request
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_PASSED_OVER = (
    "InsufficientInstanceCapacity",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "UnfulfillableCapacity",
    "VcpuLimitExceeded",
)


def launch(
    call: Call, fleet: Record, count: int, *, is_spot: bool
) -> tuple[list[Record], list[Record]]:
    """Launch up to so many instances; return them with their pools, and what was refused.

    What cannot be had in one pool is tried in the next; each pool is refused once.
    """
    options = fleet["SpotOptions"] if is_spot else fleet["OnDemandOptions"]
    strategy = options.get("AllocationStrategy", "lowest-price")
    pools = pools_of(call, fleet["LaunchTemplateConfigs"])
    ordered = in_order(call.region, pools, strategy, is_spot=is_spot)
    made: list[Record] = []
    refused: list[Record] = []
    for pool in _turns(ordered, count, strategy):
        if len(made) >= count:
            break
        if any(one["Pool"] is pool for one in refused):
            continue
        try:
            made.append({"Pool": pool, "Instance": _launch_one(call, fleet, pool, is_spot=is_spot)})
        except AwsError as error:
            if error.code not in _PASSED_OVER and fleet["Type"] != "instant":
                raise
            refused.append({"Pool": pool, "Code": error.code, "Message": error.message})
    return made, refused


def _turns(pools: list[Record], count: int, strategy: str) -> list[Record]:
    """Return pools in the order of the attempts: one after the other, or each in its turn."""
    if strategy == "diversified":
        return [pool for _ in range(count) for pool in pools]
    return [pool for pool in pools for _ in range(count)]


def _launch_one(call: Call, fleet: Record, pool: Record, *, is_spot: bool) -> Record:
    own = [{"Key": "aws:ec2:fleet-id", "Value": fleet["FleetId"]}]
    given = pool["Parameters"]
    parameters = {
        **given,
        "TagSpecifications": fleet["_TagSpecifications"],
        "_SystemTags": [*given.get("_SystemTags", []), *own],
    }
    [instance] = create_instances(call, parameters, 1, is_spot=is_spot)
    instance |= {"_Fleet": fleet["FleetId"], "_RequesterId": "ec2fleet"}
    if is_spot:
        make_spot_request(call, instance, _spot_options(fleet, pool), parameters)
    return instance


def _spot_options(fleet: Record, pool: Record) -> dict[str, Any]:
    price = pool["Override"].get("MaxPrice") or fleet["SpotOptions"].get("MaxTotalPrice")
    return {"MaxPrice": price} if price else {}


def told(region: str, made: list[Record]) -> list[Record]:
    """Return what CreateFleet answers of the launched, one entry for each pool."""
    del region
    found: dict[int, Record] = {}
    for one in made:
        pool, instance = one["Pool"], one["Instance"]
        entry = found.setdefault(
            id(pool),
            {
                "LaunchTemplateAndOverrides": _told_pool(pool),
                "Lifecycle": instance.get("InstanceLifecycle", "on-demand"),
                "InstanceIds": [],
                "InstanceType": instance["InstanceType"],
            },
        )
        entry["InstanceIds"].append(instance["InstanceId"])
    return list(found.values())


def told_errors(refused: list[Record], *, is_spot: bool) -> list[Record]:
    """Return what CreateFleet answers of the pools that refused."""
    return [
        {
            "LaunchTemplateAndOverrides": _told_pool(one["Pool"]),
            "Lifecycle": "spot" if is_spot else "on-demand",
            "ErrorCode": one["Code"],
            "ErrorMessage": one["Message"],
        }
        for one in refused
    ]


def _told_pool(pool: Record) -> Record:
    zone = pool["Parameters"].get("Placement", {}).get("AvailabilityZone")
    overrides = {**pool["Override"], "AvailabilityZone": zone}
    return {"LaunchTemplateSpecification": pool["Specification"], "Overrides": overrides}
