"""The images that AWS and Canonical publish, as far as the local cloud has them.

Their ids are made of region and name, so that they are the same in every cloud and at every start.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from runctl.localcloud.state.records import Record

AMAZON = "137112412989"
CANONICAL = "099720109477"
DEEP_LEARNING = "898082745236"
_GIB = 8


@dataclass(frozen=True, slots=True)
class Family:
    """One published image, in one architecture."""

    name: str
    owner: str
    description: str
    login: str
    device: str
    created: str
    parameter: str
    """The public parameter of Systems Manager that holds its id."""
    has_python: bool
    """Whether it ships a Python of 3.11 or newer."""
    architecture: str = "x86_64"
    size_gib: int = _GIB
    init: str = "init"


_AL = "/aws/service/ami-amazon-linux-latest"
_UBUNTU = "/aws/service/canonical/ubuntu/server"
_DL = "/aws/service/deeplearning/ami/x86_64"

FAMILIES = (
    Family(
        name="al2023-ami-2023.9.20251105.0-kernel-6.1-x86_64",
        owner=AMAZON,
        description="Amazon Linux 2023 AMI 2023.9.20251105.0 x86_64 HVM kernel-6.1",
        login="ec2-user",
        device="/dev/xvda",
        created="2025-11-05T22:41:11.000Z",
        parameter=f"{_AL}/al2023-ami-kernel-default-x86_64",
        has_python=False,  # it ships 3.9
    ),
    Family(
        name="al2023-ami-2023.9.20251105.0-kernel-6.1-arm64",
        owner=AMAZON,
        description="Amazon Linux 2023 AMI 2023.9.20251105.0 arm64 HVM kernel-6.1",
        login="ec2-user",
        device="/dev/xvda",
        created="2025-11-05T22:41:09.000Z",
        parameter=f"{_AL}/al2023-ami-kernel-default-arm64",
        has_python=False,
        architecture="arm64",
    ),
    Family(
        name="ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20251015",
        owner=CANONICAL,
        description="Canonical, Ubuntu, 22.04, amd64 jammy image",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-10-15T07:12:43.000Z",
        parameter=f"{_UBUNTU}/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        has_python=False,  # it ships 3.10
    ),
    Family(
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022",
        owner=CANONICAL,
        description="Canonical, Ubuntu, 24.04, amd64 noble image",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-10-22T06:58:20.000Z",
        parameter=f"{_UBUNTU}/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        has_python=True,
    ),
    Family(
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20251022",
        owner=CANONICAL,
        description="Canonical, Ubuntu, 24.04, arm64 noble image",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-10-22T06:59:02.000Z",
        parameter=f"{_UBUNTU}/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
        has_python=True,
        architecture="arm64",
    ),
    Family(
        name="runctl-rehearsal/ubuntu-24.04-amd64-systemd",
        owner=CANONICAL,
        description="Ubuntu, 24.04, amd64, booted with real systemd where the tier can",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-10-22T06:58:20.000Z",
        parameter="/aws/service/runctl-rehearsal/ubuntu-24.04-systemd/ami-id",
        has_python=True,
        init="systemd",
    ),
    Family(
        name="Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20251107",
        owner=DEEP_LEARNING,
        description="Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-11-07T10:21:33.000Z",
        parameter=f"{_DL}/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
        has_python=True,
        size_gib=75,
    ),
    Family(
        name="Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.8 (Ubuntu 24.04) 20251107",
        owner=DEEP_LEARNING,
        description="Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-11-07T12:02:10.000Z",
        parameter=f"{_DL}/oss-nvidia-driver-gpu-pytorch-2.8-ubuntu-24.04/latest/ami-id",
        has_python=True,
        size_gib=75,
    ),
    Family(
        name="Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) 20251107",
        owner=DEEP_LEARNING,
        description="Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en",
        login="ec2-user",
        device="/dev/xvda",
        created="2025-11-07T10:22:47.000Z",
        parameter=f"{_DL}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
        has_python=False,
        size_gib=75,
    ),
)


@cache
def published(region: str) -> dict[str, Record]:
    """Return the published images of a region, by id."""
    found = [_record(region, family) for family in FAMILIES]
    return {image["ImageId"]: image for image in found}


@cache
def public_parameters(region: str) -> dict[str, str]:
    """Return the public parameters of a region: the id of each image, under AWS's names."""
    found = {family.parameter: image_id(region, family.name) for family in FAMILIES}
    for name in list(found):
        found[name.replace("kernel-default", "kernel-6.1")] = found[name]
    return found


def image_id(region: str, name: str) -> str:
    """Return the id of a published image."""
    return f"ami-{_digits(region, name)}"


def _record(region: str, family: Family) -> Record:
    ident, owner = image_id(region, family.name), family.owner
    root = {
        "DeleteOnTermination": True,
        "Encrypted": False,
        "SnapshotId": f"snap-{_digits(region, family.name)}",
        "VolumeSize": family.size_gib,
        "VolumeType": "gp3",
    }
    alias = "amazon" if owner != CANONICAL else None
    return {
        "ImageId": ident,
        "Name": family.name,
        "Description": family.description,
        "OwnerId": owner,
        "ImageOwnerAlias": alias,
        "ImageLocation": f"{alias or owner}/{family.name}",
        "Architecture": family.architecture,
        "CreationDate": family.created,
        "DeprecationTime": f"{int(family.created[:4]) + 2}{family.created[4:]}",
        "State": "available",
        "Public": True,
        "ImageType": "machine",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "RootDeviceName": family.device,
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": [{"DeviceName": family.device, "Ebs": root}],
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "BootMode": "uefi-preferred" if family.architecture == "x86_64" else "uefi",
        "ImdsSupport": "v2.0" if family.login == "ec2-user" else None,
        "ProductCodes": [],
        "Tags": [],
        "_LoginUser": family.login,
        "_HasPython": family.has_python,
        "_Init": family.init,
    }


def _digits(region: str, name: str) -> str:
    return hashlib.sha256(f"{region} {name}".encode()).hexdigest()[:17]
