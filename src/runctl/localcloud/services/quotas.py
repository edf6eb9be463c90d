"""Service quotas: how many virtual processors an account may run, by family and market."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.types import vcpus
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

KIND = "quota"
_COUNTED = ("pending", "running", "stopping", "shutting-down")


class Quota(NamedTuple):
    """One quota of EC2."""

    code: str
    name: str
    value: float
    families: str
    """A pattern of the letters with which types begin."""
    is_spot: bool


# Codes are AWS's own. The values are those of an account that has been used for a while.
VCPU_QUOTAS = (
    Quota(
        "L-1216C47A",
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        2048.0,
        "[acdhimrtz]",
        is_spot=False,
    ),
    Quota("L-DB2E81BA", "Running On-Demand G and VT instances", 256.0, "g|gr|vt", is_spot=False),
    Quota("L-417A185B", "Running On-Demand P instances", 384.0, "p", is_spot=False),
    Quota("L-7295265B", "Running On-Demand X instances", 128.0, "x", is_spot=False),
    Quota("L-1945791B", "Running On-Demand Inf instances", 128.0, "inf", is_spot=False),
    Quota("L-2C3B7624", "Running On-Demand Trn instances", 128.0, "trn", is_spot=False),
    Quota("L-6E869C2A", "Running On-Demand DL instances", 96.0, "dl", is_spot=False),
    Quota("L-74FC7D96", "Running On-Demand F instances", 64.0, "f", is_spot=False),
    Quota(
        "L-34B43A08",
        "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
        2048.0,
        "[acdhimrtz]",
        is_spot=True,
    ),
    Quota("L-3819A6DF", "All G and VT Spot Instance Requests", 256.0, "g|gr|vt", is_spot=True),
    Quota("L-C4BD4855", "All P5 Spot Instance Requests", 192.0, "p5", is_spot=True),
    Quota("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 384.0, "p", is_spot=True),
    Quota("L-E3A00192", "All X Spot Instance Requests", 128.0, "x", is_spot=True),
    Quota("L-B5D1601B", "All Inf Spot Instance Requests", 128.0, "inf", is_spot=True),
    Quota("L-6B0D517C", "All Trn Spot Instance Requests", 128.0, "trn", is_spot=True),
    Quota("L-85EED4F7", "All DL Spot Instance Requests", 96.0, "dl", is_spot=True),
    Quota("L-88CF9481", "All F Spot Instance Requests", 64.0, "f", is_spot=True),
)
SERVICES = {
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "ebs": "Amazon Elastic Block Store (Amazon EBS)",
    "s3": "Amazon Simple Storage Service (Amazon S3)",
}


def quota_of(kind: str, *, is_spot: bool) -> Quota:
    """Return the quota that counts a type."""
    family = kind.partition(".")[0]
    for quota in VCPU_QUOTAS:
        pattern = rf"(?:{quota.families})(?:\d.*)?" if "5" not in quota.families else r"p5.*"
        if quota.is_spot == is_spot and re.fullmatch(pattern, family):
            return quota
    return next(quota for quota in VCPU_QUOTAS if quota.is_spot == is_spot)


def check_vcpu_quota(call: Call, kind: str, is_spot: bool, count: int) -> None:
    """Raise what EC2 answers where the new instances would exceed their quota."""
    quota = quota_of(kind, is_spot=is_spot)
    wanted = count * vcpus(kind)
    if _used(call, quota) + wanted <= _value(call, quota):
        return
    if is_spot:
        raise AwsError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise AwsError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of "
        f"{_value(call, quota):.0f} allows for the instance bucket that the specified instance "
        "type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request "
        "an adjustment to this limit.",
    )


def _used(call: Call, quota: Quota) -> int:
    return sum(
        vcpus(instance["InstanceType"])
        for instance in call.table("instance").values()
        if instance["State"]["Name"] in _COUNTED
        and (instance.get("InstanceLifecycle") == "spot") == quota.is_spot
        and quota_of(instance["InstanceType"], is_spot=quota.is_spot) is quota
    )


def _value(call: Call, quota: Quota) -> float:
    own = call.table(KIND).get(quota.code)
    return float(own["Value"]) if own else quota.value


def set_quota(cloud: Cloud, region: str, code: str, value: float) -> None:
    """Give an account another quota: how a user rehearses one that is too small."""
    if code not in {quota.code for quota in VCPU_QUOTAS}:
        raise KeyError(code)
    with cloud.records.transaction() as transaction:
        transaction.table(KIND, region).put(code, {"Value": value})


# ---------------------------------------------------------------- the service's own calls


@operation("servicequotas", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """List the services that have quotas."""
    del call
    return {
        "Services": [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]
    }


@operation("servicequotas", "ListServiceQuotas", "ListAWSDefaultServiceQuotas")
def list_service_quotas(call: Call) -> dict[str, Any]:
    """List the quotas of a service."""
    _check_service(call)
    is_default = call.operation == "ListAWSDefaultServiceQuotas"
    quotas = VCPU_QUOTAS if call.get("ServiceCode") == "ec2" else ()
    return {"Quotas": [_describe(call, quota, is_default=is_default) for quota in quotas]}


@operation("servicequotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")
def get_service_quota(call: Call) -> dict[str, Any]:
    """Return one quota."""
    is_default = call.operation == "GetAWSDefaultServiceQuota"
    return {"Quota": _describe(call, _quota(call), is_default=is_default)}


@operation("servicequotas", "RequestServiceQuotaIncrease")
def request_service_quota_increase(call: Call) -> dict[str, Any]:
    """Ask for more; here it stays pending."""
    quota, wanted = _quota(call), call.get("DesiredValue")
    if wanted <= _value(call, quota):
        raise AwsError(
            "IllegalArgumentException",
            "You must provide a quota value greater than the current quota value.",
        )
    request = {
        "Id": uuid4().hex,
        "ServiceCode": "ec2",
        "ServiceName": SERVICES["ec2"],
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "DesiredValue": wanted,
        "Status": "PENDING",
        "Created": call.cloud.clock(),
        "Requester": f'{{"accountId":"{call.cloud.account}","callerArn":"{call.caller.arn}"}}',
    }
    return {"RequestedQuota": call.table("quota-request").put(request["Id"], request)}


@operation("servicequotas", "ListRequestedServiceQuotaChangeHistory")
def list_requested_service_quota_change_history(call: Call) -> dict[str, Any]:
    """List what was asked for."""
    return {"RequestedQuotas": call.table("quota-request").values()}


def _check_service(call: Call) -> None:
    if call.get("ServiceCode") not in SERVICES:
        raise AwsError(
            "NoSuchResourceException",
            "The request failed because the specified service does not exist.",
        )


def _quota(call: Call) -> Quota:
    _check_service(call)
    for quota in VCPU_QUOTAS:
        if (call.get("ServiceCode"), call.get("QuotaCode")) == ("ec2", quota.code):
            return quota
    raise AwsError(
        "NoSuchResourceException",
        "The request failed because the specified quota does not exist.",
    )


def _describe(call: Call, quota: Quota, *, is_default: bool) -> Record:
    return {
        "ServiceCode": "ec2",
        "ServiceName": SERVICES["ec2"],
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{call.cloud.account}:ec2/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": quota.value if is_default else _value(call, quota),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
