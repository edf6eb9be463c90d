"""Managed instances: those whose agent answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.profiles import role_of_instance
from runctl.localcloud.services.iam.rights import may_use_ssm
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

AGENT_VERSION = "3.3.1957.0"
_PLATFORMS = {
    "ec2-user": ("Amazon Linux", "2023"),
    "ubuntu": ("Ubuntu", "24.04"),
}
_FILTERS: Mapping[str, Filter] = {
    "ActivationIds": path("ActivationId"),
    "AgentVersion": path("AgentVersion"),
    "IamRole": path("IamRole"),
    "InstanceIds": path("InstanceId"),
    "PingStatus": path("PingStatus"),
    "PlatformTypes": path("PlatformType"),
    "ResourceType": path("_ResourceKind"),
}


def ping_status(cloud: Cloud, region: str, instance: Record) -> str | None:
    """Return how the agent of an instance answers; None where it was never heard of."""
    since = instance.get("_RunningSince") or instance.get("_SeenOnline")
    if since is None or not may_use_ssm(
        cloud, role_of_instance(cloud, region, instance["InstanceId"])
    ):
        return None
    if state_of(instance) != "running" or cloud.faults.is_cut_off(instance["InstanceId"]):
        return "ConnectionLost"
    if cloud.clock() - since < cloud.pace.online_s:
        return None
    return "Online"


def online_since(cloud: Cloud, instance: Record) -> float:
    """Return when the agent came, or will come, online."""
    return float(instance["_RunningSince"] or cloud.clock()) + cloud.pace.online_s


def check_online(call: Call, idents: list[str]) -> None:
    """Raise what SendCommand answers where one of the instances cannot be commanded."""
    bad = [ident for ident in idents if not is_online(call, ident)]
    if bad:
        raise AwsError(
            "InvalidInstanceId",
            f"Instances [[{', '.join(bad)}]] not in a valid state for account {call.cloud.account}",
        )


def is_online(call: Call, ident: str) -> bool:
    """Tell whether an instance's agent answers, so that it may be commanded."""
    instance = call.table("instance").get(ident)
    return instance is not None and ping_status(call.cloud, call.region, instance) == "Online"


@operation("ssm", "DescribeInstanceInformation")
def describe_instance_information(call: Call) -> dict[str, Any]:
    """List managed instances."""
    found = list(_informations(call))
    for one in call.get("InstanceInformationFilterList") or ():
        wanted = {"Name": _plural(one["key"]), "Values": one["valueSet"]}
        found = apply(_FILTERS, [wanted], found)
    for one in call.get("Filters") or ():
        found = apply(_FILTERS, [{"Name": one["Key"], "Values": one["Values"]}], found)
    return page(call, "InstanceInformationList", found, sort_by="InstanceId", low=5, high=50)


def _plural(name: str) -> str:
    return name if name in _FILTERS else f"{name}s"


def _informations(call: Call) -> Iterator[Record]:
    for instance in call.table("instance").values():
        if state_of(instance) == "terminated":
            continue
        status = ping_status(call.cloud, call.region, instance)
        if status is not None:
            yield _information(call, instance, status)


def _information(call: Call, instance: Record, status: str) -> Record:
    name, version = _PLATFORMS.get(instance["_Image"]["_LoginUser"], ("Linux", ""))
    role = role_of_instance(call.cloud, call.region, instance["InstanceId"]) or {}
    return {
        "InstanceId": instance["InstanceId"],
        "PingStatus": status,
        "LastPingDateTime": call.cloud.clock(),
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": name,
        "PlatformVersion": version,
        "ResourceType": "EC2Instance",
        "IPAddress": instance.get("PrivateIpAddress"),
        "ComputerName": instance.get("PrivateDnsName"),
        "SourceId": instance["InstanceId"],
        "SourceType": "AWS::EC2::Instance",
        "IamRole": role.get("RoleName"),
        "Tags": instance.get("Tags", []),
        "_ResourceKind": "EC2Instance",
    }


@operation("ssm", "GetConnectionStatus")
def get_connection_status(call: Call) -> dict[str, Any]:
    """Say whether a session could be started."""
    target = call.get("Target")
    status = "connected" if is_online(call, target) else "notconnected"
    return {"Target": target, "Status": status}
