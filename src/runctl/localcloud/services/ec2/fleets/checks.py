"""What CreateFleet refuses at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.fleets.choice import Pool, pools_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_OF_INSTANT = ("MinTargetCapacity", "SingleAvailabilityZone", "SingleInstanceType")


def check_fleet(call: Call, fleet: Record) -> None:
    """Raise for a fleet that AWS does not make."""
    _check_tags(call, fleet["Type"])
    for options in (fleet["SpotOptions"], fleet["OnDemandOptions"]):
        _check_options(options, fleet["Type"])
    check_configs(call, fleet["LaunchTemplateConfigs"])


def _check_tags(call: Call, kind: str) -> None:
    """Only an instant fleet tags its instances; others leave that to their templates."""
    allowed = {"fleet"} | ({"instance", "volume"} if kind == "instant" else set())
    for one in call.get("TagSpecifications", []):
        if one.get("ResourceType") not in allowed:
            raise AwsError(
                "InvalidParameterValue",
                f"'{one.get('ResourceType')}' is not a valid taggable resource type for this "
                "operation.",
            )


def _check_options(options: dict[str, Any], kind: str) -> None:
    given = [name for name in _OF_INSTANT if options.get(name)]
    if given and kind != "instant":
        raise _refuse(f"{given[0]} is supported only for fleets of type instant.")
    if given == ["MinTargetCapacity"]:
        raise _refuse(
            "MinTargetCapacity needs one of SingleAvailabilityZone and SingleInstanceType."
        )
    if options.get("InstancePoolsToUseCount") and options["AllocationStrategy"] != "lowest-price":
        raise _refuse(
            "InstancePoolsToUseCount option is only available with the lowestPrice allocation "
            "strategy."
        )


def check_configs(call: Call, configs: list[dict[str, Any]]) -> None:
    """Raise for templates and overrides that cannot be."""
    for config in configs:
        if not config.get("LaunchTemplateSpecification", {}).get("Version"):
            raise AwsError("MissingParameter", "The request must contain the parameter Version")
        if any(one.get("InstanceRequirements") for one in config.get("Overrides", [])):
            raise AwsError(
                "UnsupportedOperation",
                "The local cloud chooses no types by their attributes; name InstanceType.",
            )
    counts = Counter(_places(pools_of(call, configs)))
    if counts and max(counts.values()) > 1:
        raise _refuse("The fleet configuration contains duplicate instance pools.")


def _places(pools: list[Pool]) -> Iterator[tuple[str, str]]:
    for pool in pools:
        yield pool.kind, pool.zone


def _refuse(words: str) -> AwsError:
    return AwsError("InvalidFleetConfig", words)
