"""The images that AWS and Canonical publish, as far as the local cloud has them.

Their ids are made of region and name, so that they are the same in every cloud and at every start.
The newest of a family is the one that its public parameters name; older ones are listed too, as on
AWS, so that whoever takes the first and not the newest is found out.
"""

from __future__ import annotations

import hashlib
from functools import cache

from runctl.localcloud.services.ec2.imagefamilies import AMAZON_LINUX, FAMILIES, Family
from runctl.localcloud.state.records import Record


@cache
def published(region: str) -> dict[str, Record]:
    """Return the published images of a region, by id."""
    found = [_record(region, family) for family in FAMILIES]
    return {image["ImageId"]: image for image in found}


@cache
def public_parameters(region: str) -> dict[str, str]:
    """Return the public parameters of a region: the id of each image, under AWS's names."""
    return {
        name: image_id(region, family.name) for family in FAMILIES for name in family.parameters
    }


def image_id(region: str, name: str) -> str:
    """Return the id of a published image."""
    return f"ami-{_digits(region, name)}"


def _record(region: str, family: Family) -> Record:
    return {
        "ImageId": image_id(region, family.name),
        "Name": family.name,
        "Description": family.description,
        "OwnerId": family.owner,
        "ImageOwnerAlias": "amazon",
        "ImageLocation": f"amazon/{family.name}",
        "Architecture": family.architecture,
        "CreationDate": family.created,
        "DeprecationTime": family.deprecated,
        "State": "available",
        "Public": True,
        "ImageType": "machine",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "RootDeviceName": family.device,
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": _mappings(region, family),
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "BootMode": "uefi-preferred" if family.architecture == "x86_64" else "uefi",
        "ImdsSupport": "v2.0" if family.needs_token else None,
        "FreeTierEligible": family.size_gib <= 30,
        "ProductCodes": [],
        "Tags": [],
        "_LoginUser": family.login,
        "_HasPython": family.has_python,
        "_Init": family.init,
        "_Parameters": list(family.parameters),
    }


def _mappings(region: str, family: Family) -> list[Record]:
    root = {
        "DeleteOnTermination": True,
        "Encrypted": False,
        "SnapshotId": f"snap-{_digits(region, family.name)}",
        "VolumeSize": family.size_gib,
        "VolumeType": family.volume_type,
    }
    if family.volume_type == "gp3":
        root |= {"Iops": 3000, "Throughput": 125}
    found: list[Record] = [{"DeviceName": family.device, "Ebs": root}]
    if family.owner != AMAZON_LINUX and family.device == "/dev/sda1":
        found += [
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"},
        ]
    return found


def _digits(region: str, name: str) -> str:
    return hashlib.sha256(f"{region} {name}".encode()).hexdigest()[:17]
