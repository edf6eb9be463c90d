"""Which quota of virtual processors an instance counts against, and how to ask for more.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import CapacityError, RunctlError
from runctl.model.instance import Offer

QUOTA_CODES = frozenset({"MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"})
"""Of errors that say that a quota is used up, not which."""


class Quota(NamedTuple):
    code: str
    name: str


_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
_ON_DEMAND = {
    "standard": Quota("L-1216C47A", f"Running On-Demand {_STANDARD} instances"),
    "dl": Quota("L-6E869C2A", "Running On-Demand DL instances"),
    "f": Quota("L-74FC7D96", "Running On-Demand F instances"),
    "g": Quota("L-DB2E81BA", "Running On-Demand G and VT instances"),
    "hpc": Quota("L-F7808C92", "Running On-Demand HPC instances"),
    "inf": Quota("L-1945791B", "Running On-Demand Inf instances"),
    "p": Quota("L-417A185B", "Running On-Demand P instances"),
    "trn": Quota("L-2C3B7624", "Running On-Demand Trn instances"),
    "u": Quota("L-43DA4232", "Running On-Demand High Memory instances"),
    "x": Quota("L-7295265B", "Running On-Demand X instances"),
}
_SPOT = {
    "standard": Quota("L-34B43A08", f"All {_STANDARD} Spot Instance Requests"),
    "dl": Quota("L-85EED4F7", "All DL Spot Instance Requests"),
    "f": Quota("L-88CF9481", "All F Spot Instance Requests"),
    "g": Quota("L-3819A6DF", "All G and VT Spot Instance Requests"),
    "inf": Quota("L-B5D1601B", "All Inf Spot Instance Requests"),
    "p": Quota("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    "p5": Quota("L-C4BD4855", "All P5 Spot Instance Requests"),
    "trn": Quota("L-6B0D517C", "All Trn Spot Instance Requests"),
    "x": Quota("L-E3A00192", "All X Spot Instance Requests"),
}
_SAME = {"gr": "g", "vt": "g"}


def quota_of(type_: str, *, is_spot: bool) -> Quota:
    """Return the quota that counts the virtual processors of a type in a market."""
    found = re.match("[a-z]+", type_)
    letters = found[0] if found else ""
    family = "p5" if is_spot and type_.startswith("p5") else _SAME.get(letters, letters)
    known = _SPOT if is_spot else _ON_DEMAND
    return known.get(family, known["standard"])


def used_up(account: Account, offer: Offer, error: RunctlError) -> CapacityError:
    """Return the error of an offer that a quota forbids, with what raises it."""
    quota, value = quota_of(offer.type, is_spot=offer.is_spot), None
    with suppress(RunctlError), translated(f"the quota {quota.code} cannot be looked up"):
        told = account.client("service-quotas").get_service_quota(
            ServiceCode="ec2", QuotaCode=quota.code
        )
        value = int(told["Quota"]["Value"])
    limit = "is used up" if value is None else f"is {value}"
    wanted = max(offer.cpus + (value or 0), 1)
    return CapacityError(
        f"{offer.type} could not be rented: {account.region}'s quota of virtual processors "
        f"{limit}, and {offer.cpus} more are needed ({quota.name})",
        hint="aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {quota.code} --desired-value {wanted} --region {account.region}",
        quota=quota.code,
        aws_code=error.details.get("aws_code"),
    )
