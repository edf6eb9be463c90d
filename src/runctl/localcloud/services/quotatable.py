"""The quotas that the local cloud has: codes, names and defaults are AWS's own."""

from __future__ import annotations

import re
from typing import NamedTuple

_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
SERVICES = {
    "ebs": "Amazon Elastic Block Store (Amazon EBS)",
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
}


class Quota(NamedTuple):
    """One quota. ``value`` is that of an account that has been used for a while."""

    service: str
    code: str
    name: str
    default: float
    """What AWS gives to a new account."""
    value: float
    group: str | None = None
    """Whose virtual processors it counts."""
    is_spot: bool = False


def _counted(group: str, code: str, name: str, value: float, default: float = 0.0) -> Quota:
    is_spot = name.startswith("All ")
    return Quota("ec2", code, name, default, value, group, is_spot)


def _stored(code: str, name: str, value: float) -> Quota:
    return Quota("ebs", code, name, value, value)


QUOTAS = (
    _counted("standard", "L-1216C47A", f"Running On-Demand {_STANDARD} instances", 2048.0, 5.0),
    _counted("g", "L-DB2E81BA", "Running On-Demand G and VT instances", 256.0),
    _counted("p", "L-417A185B", "Running On-Demand P instances", 384.0),
    _counted("x", "L-7295265B", "Running On-Demand X instances", 128.0),
    _counted("inf", "L-1945791B", "Running On-Demand Inf instances", 128.0),
    _counted("trn", "L-2C3B7624", "Running On-Demand Trn instances", 128.0),
    _counted("dl", "L-6E869C2A", "Running On-Demand DL instances", 96.0),
    _counted("f", "L-74FC7D96", "Running On-Demand F instances", 64.0),
    _counted("hpc", "L-F7808C92", "Running On-Demand HPC instances", 192.0),
    _counted("u", "L-43DA4232", "Running On-Demand High Memory instances", 448.0),
    _counted("standard", "L-34B43A08", f"All {_STANDARD} Spot Instance Requests", 2048.0, 5.0),
    _counted("g", "L-3819A6DF", "All G and VT Spot Instance Requests", 256.0),
    _counted("p5", "L-C4BD4855", "All P5 Spot Instance Requests", 192.0),
    _counted("p", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 384.0),
    _counted("x", "L-E3A00192", "All X Spot Instance Requests", 128.0),
    _counted("inf", "L-B5D1601B", "All Inf Spot Instance Requests", 128.0),
    _counted("trn", "L-6B0D517C", "All Trn Spot Instance Requests", 128.0),
    _counted("dl", "L-85EED4F7", "All DL Spot Instance Requests", 96.0),
    _counted("f", "L-88CF9481", "All F Spot Instance Requests", 64.0),
    Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0, 5.0),
    _stored("L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50.0),
    _stored("L-D18FCD1D", "Storage for General Purpose SSD (gp2) volumes, in TiB", 50.0),
    _stored("L-FD252861", "Storage for Provisioned IOPS SSD (io1) volumes, in TiB", 50.0),
    _stored("L-09BD8365", "Storage for Provisioned IOPS SSD (io2) volumes, in TiB", 20.0),
    _stored("L-82ACEF56", "Storage for Throughput Optimized HDD (st1) volumes, in TiB", 50.0),
    _stored("L-17AF77E8", "Storage for Cold HDD (sc1) volumes, in TiB", 50.0),
    _stored("L-9CF3C2EB", "Storage for Magnetic (standard) volumes, in TiB", 50.0),
    _stored("L-B3A130E6", "IOPS for Provisioned IOPS SSD (io1) volumes", 300000.0),
    _stored("L-8D977E7E", "IOPS for Provisioned IOPS SSD (io2) volumes", 100000.0),
    _stored("L-309BACF6", "Snapshots per Region", 100000.0),
)
BY_CODE = {quota.code: quota for quota in QUOTAS}
_GROUPS = {"gr": "g", "vt": "g"}
_COUNTING = {(quota.group, quota.is_spot): quota for quota in QUOTAS if quota.group}


def quota_of(kind: str, *, is_spot: bool) -> Quota:
    """Return the quota that counts the virtual processors of a type."""
    found = re.match("[a-z]+", kind)
    letters = found[0] if found else ""
    group = _GROUPS.get(letters, letters)
    if is_spot and kind.startswith("p5"):
        group = "p5"
    return _COUNTING.get((group, is_spot)) or _COUNTING["standard", is_spot]
