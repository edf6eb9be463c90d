"""Service quotas: what an account may run, by family and market, and how it asks for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.types import vcpus
from runctl.localcloud.services.quotatable import BY_CODE, QUOTAS, SERVICES, Quota, quota_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

KIND = "quota"
REQUEST = "quota-request"
_COUNTED = ("pending", "running", "stopping", "shutting-down")
_OPEN = ("PENDING", "CASE_OPENED")


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
    if code not in BY_CODE:
        raise KeyError(code)
    with cloud.records.transaction() as transaction:
        transaction.table(KIND, region).put(code, {"Value": value})


# ---------------------------------------------------------------- the service's own calls


@operation("servicequotas", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """List the services that have quotas."""
    found = [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]
    return _page(call, "Services", found, "ServiceCode")


@operation("servicequotas", "ListServiceQuotas", "ListAWSDefaultServiceQuotas")
def list_service_quotas(call: Call) -> dict[str, Any]:
    """List the quotas of a service, as they are or as AWS gives them."""
    _check_service(call)
    is_default = call.operation == "ListAWSDefaultServiceQuotas"
    service, code = call.get("ServiceCode"), call.get("QuotaCode")
    quotas = [one for one in QUOTAS if one.service == service and code in (None, one.code)]
    found = [_describe(call, quota, is_default=is_default) for quota in quotas]
    return _page(call, "Quotas", found, "QuotaCode")


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
    requests = call.table(REQUEST)
    if any(one["QuotaCode"] == quota.code and _is_open(one) for one in requests.values()):
        raise AwsError(
            "ResourceAlreadyExistsException",
            "Only one open service quota increase request is allowed per quota.",
        )
    request = {**_identify(call, quota), **_asked_for(call)}
    return {"RequestedQuota": requests.put(request["Id"], request)}


def _is_open(request: Record) -> bool:
    return request["Status"] in _OPEN


def _asked_for(call: Call) -> Record:
    now = call.cloud.clock()
    who = {"accountId": call.cloud.account, "callerArn": call.caller.arn}
    return {
        "Id": uuid4().hex,
        "DesiredValue": call.get("DesiredValue"),
        "Status": "PENDING",
        "Created": now,
        "LastUpdated": now,
        "Requester": msgspec.json.encode(who).decode(),
        "QuotaRequestedAtLevel": "ACCOUNT",
    }


@operation(
    "servicequotas",
    "ListRequestedServiceQuotaChangeHistory",
    "ListRequestedServiceQuotaChangeHistoryByQuota",
)
def list_requests(call: Call) -> dict[str, Any]:
    """List what was asked for, of all services, of one, or of one quota."""
    names = ("ServiceCode", "QuotaCode", "Status")
    found = [
        one
        for one in call.table(REQUEST).values()
        if all(call.get(name) in (None, one[name]) for name in names)
    ]
    return _page(call, "RequestedQuotas", found, "Id")


@operation("servicequotas", "GetRequestedServiceQuotaChange")
def get_requested_service_quota_change(call: Call) -> dict[str, Any]:
    """Return what was asked for, by its id."""
    found = call.table(REQUEST).get(call.get("RequestId"))
    if found is None:
        raise _missing("request")
    return {"RequestedQuota": found}


def _page(call: Call, member: str, found: list[Record], sort_by: str) -> dict[str, Any]:
    return page(
        call,
        member,
        found,
        sort_by=sort_by,
        low=1,
        high=100,
        default=100,
    )


def _check_service(call: Call) -> None:
    if call.get("ServiceCode") not in SERVICES:
        raise _missing("service")


def _quota(call: Call) -> Quota:
    _check_service(call)
    quota = BY_CODE.get(call.get("QuotaCode"))
    if quota is None or quota.service != call.get("ServiceCode"):
        raise _missing("quota")
    return quota


def _missing(kind: str) -> AwsError:
    words = f"The request failed because the specified {kind} does not exist."
    return AwsError("NoSuchResourceException", words)


def _identify(call: Call, quota: Quota) -> Record:
    place = f"{call.region}:{call.cloud.account}"
    return {
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service],
        "QuotaArn": f"arn:aws:servicequotas:{place}:{quota.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Unit": "None",
        "GlobalQuota": False,
    }


def _describe(call: Call, quota: Quota, *, is_default: bool) -> Record:
    return {
        **_identify(call, quota),
        "Value": quota.default if is_default else _value(call, quota),
        "Adjustable": True,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
