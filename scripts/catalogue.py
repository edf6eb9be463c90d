"""Makes the local cloud's catalogue of instance types, offerings and regions from moto's data.

    python -m pip install moto==5.2.5     # in an environment of its own
    python scripts/catalogue.py

Moto is not needed to run anything; its licence (Apache-2.0) stands in the data's README.
"""

from __future__ import annotations

import gzip
import json
from importlib import import_module
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "src/runctl/localcloud/data"
OPT_IN = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4",
    "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2",
    "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
)  # fmt: skip
"""Regions that an account has to ask for, as AWS's account management guide lists them."""


def main() -> None:
    moto = Path(str(import_module("moto").__file__)).parent
    zones, names = read_zones()
    regions = read_regions(moto, names)
    enabled = [name for name, region in regions.items() if not region["is_opt_in"]]
    offerings = {name: read_offerings(moto, name, zones) for name in enabled}
    write("instance-types.json.gz", read(moto / "ec2/resources/instance_types.json.gz"))
    write("offerings.json.gz", offerings)
    text = json.dumps(regions, indent=1, sort_keys=True, ensure_ascii=False)
    (DATA / "regions.json").write_text(text + "\n")


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def read_zones() -> tuple[dict[str, str], list[str]]:
    """Return the id of each zone, by its name; and the regions of the commercial partition."""
    module = import_module("moto.ec2.models.availability_zones_and_regions")
    known = module.RegionsAndZonesBackend.zones
    names = sorted(name for name in known if not name.startswith(("cn-", "us-gov-")))
    return {zone.name: zone.zone_id for found in known.values() for zone in found}, names


def read_regions(moto: Path, names: list[str]) -> dict[str, Any]:
    """Return the long name and the place of each region, as far as moto has them."""
    tree = read(moto / "ssm/resources/regions.json.gz")
    known = tree["aws"]["service"]["global-infrastructure"]["regions"]
    return {name: read_region(name, known.get(name, {})) for name in names}


def read_region(name: str, found: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "long_name": found.get("longName", {}).get("Value"),
        "country": found.get("geolocationCountry", {}).get("Value"),
        "geolocation": found.get("geolocationRegion", {}).get("Value"),
    }
    return {"is_opt_in": name in OPT_IN, **{key: value for key, value in facts.items() if value}}


def read_offerings(moto: Path, region: str, zones: dict[str, str]) -> dict[str, Any]:
    """Return the zones of a region, and for each type the last letters of its zones.

    A zone whose id moto does not have is left out.
    """
    folder = moto / "ec2/resources/instance_type_offerings/availability-zone"
    rows = [row for row in read(folder / f"{region}.json.gz") if row["Location"] in zones]
    types: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row["InstanceType"], row["Location"])):
        types[row["InstanceType"]] = types.get(row["InstanceType"], "") + row["Location"][-1]
    names = sorted({row["Location"] for row in rows})
    return {"zones": {name: zones[name] for name in names}, "types": types}


def write(name: str, document: Any) -> None:
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    (DATA / name).write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main()
