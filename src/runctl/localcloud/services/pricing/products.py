"""The products of the price list, and their documents: those that the tables have a price of.

AWS's list has many more: other systems, tenancies, reservations. What is not here is not known.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import msgspec

from runctl.localcloud.data import Row, instance_type, prices, region_facts, service_prices

EC2, VPC = "AmazonEC2", "AmazonVPC"
NAMES = {EC2: "Amazon Elastic Compute Cloud", VPC: "Amazon Virtual Private Cloud"}
_PUBLISHED = "2026-02-09T00:00:00Z"
"""Of the price list that most of the table comes from."""
_PREFIXES = {
    "us-east-1": "",
    "us-east-2": "USE2-",
    "us-west-2": "USW2-",
    "eu-west-1": "EU-",
    "ap-southeast-4": "APS6-",
}
_FAMILIES = (
    ("(g|gr|p|vt)", "GPU instance"),
    ("(inf|trn|dl)", "Machine Learning ASIC Instances"),
    ("f", "FPGA Instances"),
    ("(c|hpc)", "Compute optimized"),
    ("(r|x|z|u)", "Memory optimized"),
    ("(i|im|is|d|h)", "Storage optimized"),
)


class Product(NamedTuple):
    """One product with its on-demand price."""

    service: str
    family: str
    attributes: dict[str, str]
    unit: str
    usd: Decimal
    words: str

    @property
    def sku(self) -> str:
        digest = hashlib.sha256(f"{self.service} {self.attributes['usagetype']}".encode()).digest()
        return base64.b32encode(digest).decode()[:16]

    def values(self) -> dict[str, str]:
        """Return what filters look at, by lower-case name."""
        told = {
            **self.attributes,
            "productFamily": self.family,
            "ServiceCode": self.service,
            "sku": self.sku,
            "termType": "OnDemand",
        }
        return {name.lower(): value for name, value in told.items()}

    def document(self) -> str:
        """Return the JSON text that GetProducts answers."""
        sku, term = self.sku, f"{self.sku}.JRTCKXETXF"
        dimension = {
            "unit": self.unit,
            "endRange": "Inf",
            "description": self.words,
            "appliesTo": [],
            "rateCode": f"{term}.6YS6EN2CT7",
            "beginRange": "0",
            "pricePerUnit": {"USD": f"{self.usd:.10f}"},
        }
        offer = {
            "priceDimensions": {dimension["rateCode"]: dimension},
            "sku": sku,
            "effectiveDate": _PUBLISHED,
            "offerTermCode": "JRTCKXETXF",
            "termAttributes": {},
        }
        document: dict[str, Any] = {
            "product": {"productFamily": self.family, "attributes": self.attributes, "sku": sku},
            "serviceCode": self.service,
            "terms": {"OnDemand": {term: offer}},
            "version": re.sub(r"[^0-9]", "", _PUBLISHED),
            "publicationDate": _PUBLISHED,
        }
        return msgspec.json.encode(document).decode()


@cache
def products() -> tuple[Product, ...]:
    """Return every product that has a known price."""
    return (*_instances(), *_storage(), *_addresses())


def location_of(region: str) -> str:
    """Return a region's name in the price list, which calls the older European ones EU."""
    name = region_facts()[region].long_name
    return name.replace("Europe", "EU") if region.startswith(("eu-west-", "eu-north-")) else name


def _where(region: str, usage: str) -> dict[str, str]:
    return {
        "location": location_of(region),
        "locationType": "AWS Region",
        "regionCode": region,
        "usagetype": _PREFIXES[region] + usage,
    }


def _instances() -> Iterator[Product]:
    for (name, region), row in prices().items():
        if not row["on_demand_usd_per_hour"]:
            continue
        usd = Decimal(row["on_demand_usd_per_hour"])
        words = f"${usd} per On Demand Linux {name} Instance Hour"
        yield Product(EC2, "Compute Instance", _instance(name, region, row), "Hrs", usd, words)


def _instance(name: str, region: str, row: Row) -> dict[str, str]:
    attributes = {
        **_where(region, f"BoxUsage:{name}"),
        "servicecode": EC2,
        "servicename": NAMES[EC2],
        "operation": "RunInstances",
        "instanceType": name,
        "instanceFamily": _family(name),
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "vcpu": row["vcpus"],
        "memory": f"{row['memory_gib']} GiB" if row["memory_gib"] else "",
        "gpu": row["gpu_count"],
        **_known(name),
    }
    return {name: value for name, value in attributes.items() if value}


def _family(name: str) -> str:
    letters = re.match("[a-z]+", name)
    for pattern, words in _FAMILIES:
        if letters and re.fullmatch(pattern, letters[0]):
            return words
    return "General purpose"


def _known(name: str) -> dict[str, str]:
    found = instance_type(name)
    if found is None:
        return {}
    disks = found.get("InstanceStorageInfo", {}).get("Disks", [])
    kinds = [f"{one['Count']} x {one['SizeInGB']} {one['Type'].upper()}" for one in disks]
    return {
        "networkPerformance": found["NetworkInfo"]["NetworkPerformance"],
        "storage": kinds[0] if kinds else "EBS only",
        "currentGeneration": "Yes" if found["CurrentGeneration"] else "No",
    }


class _Kind(NamedTuple):
    """How AWS calls what a row of the table of services is."""

    family: str
    volume: str
    usage: str
    unit: str
    group: str = ""
    factor: int = 1


_STORAGE, _IOPS = "Storage", "System Operation"
_KINDS = {
    "EBS gp3 storage": _Kind(_STORAGE, "gp3", "EBS:VolumeUsage.gp3", "GB-Mo"),
    "EBS gp2 storage": _Kind(_STORAGE, "gp2", "EBS:VolumeUsage.gp2", "GB-Mo"),
    "EBS io2 storage": _Kind(_STORAGE, "io2", "EBS:VolumeUsage.io2", "GB-month"),
    "EBS st1 storage": _Kind(_STORAGE, "st1", "EBS:VolumeUsage.st1", "GB-Mo"),
    "EBS sc1 storage": _Kind(_STORAGE, "sc1", "EBS:VolumeUsage.sc1", "GB-Mo"),
    "EBS gp3 IOPS above 3000": _Kind(_IOPS, "gp3", "EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "EBS IOPS"),
    "EBS io2 IOPS (first tier)": _Kind(
        _IOPS, "io2", "EBS:VolumeP-IOPS.io2", "IOPS-Mo", "EBS IOPS Tier 1"
    ),
    # AWS's list has the price of a GiB/s.
    "EBS gp3 throughput above 125 MiB/s": _Kind(
        "Provisioned Throughput",
        "gp3",
        "EBS:VolumeP-Throughput.gp3",
        "GiBps-mo",
        "EBS Throughput",
        1024,
    ),
    "EBS snapshot standard": _Kind("Storage Snapshot", "", "EBS:SnapshotUsage", "GB-Mo"),
}
_VOLUMES = {
    "gp3": ("General Purpose", "SSD-backed"),
    "gp2": ("General Purpose", "SSD-backed"),
    "io2": ("Provisioned IOPS", "SSD-backed"),
    "st1": ("Throughput Optimized HDD", "HDD-backed"),
    "sc1": ("Cold HDD", "HDD-backed"),
}


def _storage() -> Iterator[Product]:
    for row in service_prices():
        kind = _KINDS.get(row["service"])
        if kind is None or not row["usd"]:
            continue
        media = _VOLUMES.get(kind.volume, ("", ""))
        attributes = {
            **_where(row["region"], kind.usage),
            "servicecode": EC2,
            "servicename": NAMES[EC2],
            "volumeApiName": kind.volume,
            "volumeType": media[0],
            "storageMedia": media[1] if kind.family == _STORAGE else "Amazon S3",
            "group": kind.group,
        }
        if kind.family in (_IOPS, "Provisioned Throughput"):
            attributes["provisioned"] = "Yes"
            del attributes["storageMedia"]
        told = {name: value for name, value in attributes.items() if value}
        usd = Decimal(row["usd"]) * kind.factor
        words = f"${usd} per {kind.unit} of {row['service']}"
        yield Product(EC2, kind.family, told, kind.unit, usd, words)


def _addresses() -> Iterator[Product]:
    for row in service_prices():
        if row["service"] != "Public IPv4 address":
            continue
        for usage, words in (("InUse", "in use"), ("Idle", "idle")):
            attributes = {
                **_where(row["region"], f"PublicIPv4:{usage}Address"),
                "servicecode": VPC,
                "servicename": NAMES[VPC],
                "group": "VPCPublicIPv4Address",
            }
            usd = Decimal(row["usd"])
            told = f"${usd} per public IPv4 address that is {words}, per hour"
            yield Product(VPC, "VpcPublicIPv4Address", attributes, "Hrs", usd, told)
