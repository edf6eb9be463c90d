"""Makes the local cloud's catalogue of instance types and offerings from moto's data.

    python -m pip install moto==5.2.5     # in an environment of its own
    python scripts/catalogue.py

Moto is not needed to run anything; its licence (Apache-2.0) stands in the data's README.
"""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "ap-southeast-1",
)
DATA = Path(__file__).resolve().parents[1] / "src/runctl/localcloud/data"


def main() -> None:
    resources = Path(find_spec("moto").submodule_search_locations[0]) / "ec2" / "resources"
    types = read(resources / "instance_types.json.gz")
    zones = read_zones()
    offerings = {region: read_offerings(resources, region, zones) for region in REGIONS}
    write(DATA / "instance-types.json.gz", types)
    write(DATA / "offerings.json.gz", offerings)


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def read_zones() -> dict[str, str]:
    """Return the id of each zone, by its name."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend  # noqa: PLC0415

    zones = RegionsAndZonesBackend.zones
    return {zone.name: zone.zone_id for found in zones.values() for zone in found}


def read_offerings(resources: Path, region: str, zones: dict[str, str]) -> dict[str, Any]:
    """Return the zones of a region, and for each type the last letters of its zones."""
    rows = read(resources / "instance_type_offerings/availability-zone" / f"{region}.json.gz")
    types: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row["InstanceType"], row["Location"])):
        types[row["InstanceType"]] = types.get(row["InstanceType"], "") + row["Location"][-1]
    names = sorted({row["Location"] for row in rows})
    return {"zones": {name: zones[name] for name in names}, "types": types}


def write(path: Path, document: Any) -> None:
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main()
