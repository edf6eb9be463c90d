"""The parameters that AWS and Canonical publish: images, regions and zones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from runctl.localcloud.data import offer, region_facts, region_names
from runctl.localcloud.services.ec2.machineimages import public_parameters
from runctl.localcloud.state.records import Record

_INFRASTRUCTURE = "/aws/service/global-infrastructure"
_CANONICAL = "/aws/service/canonical/"
_PUBLISHED_AT = 1_790_810_904.0
"""Of the Amazon Linux images that are the newest here."""


@cache
def published_parameters(region: str) -> dict[str, Record]:
    """Return the public parameters that a region has, by name."""
    values = {**public_parameters(region), **dict(_infrastructure(region))}
    return {name: _record(region, name, value) for name, value in values.items()}


def _infrastructure(here: str) -> Iterator[tuple[str, str]]:
    yield f"{_INFRASTRUCTURE}/current-region", here
    for region, facts in region_facts().items():
        root = f"{_INFRASTRUCTURE}/regions/{region}"
        yield root, region
        yield f"{root}/domain", "amazonaws.com"
        yield f"{root}/geolocationCountry", facts.country
        yield f"{root}/geolocationRegion", facts.geolocation
        yield f"{root}/longName", facts.long_name
        yield f"{root}/partition", "aws"
    for region in region_names():
        for ident in offer(region).zones.values():
            yield f"{_INFRASTRUCTURE}/regions/{region}/availability-zones/{ident}", ident
            yield f"{_INFRASTRUCTURE}/availability-zones/{ident}", ident


def _record(region: str, name: str, value: str) -> Record:
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": _PUBLISHED_AT,
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "aws:ec2:image" if name.startswith(_CANONICAL) else "text",
    }
