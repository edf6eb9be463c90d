"""Internet gateways."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import GATEWAY, VPC, edit, find, new_id
from runctl.localcloud.services.ec2.network.vpcs import dependency, is_attached
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


@operation("ec2", "CreateInternetGateway")
def create_internet_gateway(call: Call) -> dict[str, Any]:
    """Make an internet gateway."""
    gateway: Record = {
        "InternetGatewayId": new_id(GATEWAY),
        "OwnerId": call.cloud.account,
        "Attachments": [],
        "Tags": tags_for(call, GATEWAY),
    }
    table = call.table("internet-gateway")
    return {"InternetGateway": table.put(gateway["InternetGatewayId"], gateway)}


@operation("ec2", "AttachInternetGateway")
def attach_internet_gateway(call: Call) -> None:
    """Attach a gateway that is attached to nothing to a VPC that has none."""
    gateway = edit(call, GATEWAY, call.get("InternetGatewayId"))
    vpc = find(call, VPC, call.get("VpcId"))["VpcId"]
    if gateway["Attachments"]:
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"resource {gateway['InternetGatewayId']} is already attached to network "
            f"{gateway['Attachments'][0]['VpcId']}",
        )
    if any(is_attached(one, vpc) for one in call.table("internet-gateway").values()):
        raise AwsError(
            "InvalidParameterValue", f"Network {vpc} already has an internet gateway attached"
        )
    gateway["Attachments"] = [{"State": "available", "VpcId": vpc}]
    _set_routes(call, gateway["InternetGatewayId"], "active")


@operation("ec2", "DetachInternetGateway")
def detach_internet_gateway(call: Call) -> None:
    """Detach a gateway, through which no instance is reached any more."""
    gateway = edit(call, GATEWAY, call.get("InternetGatewayId"))
    ident, vpc = gateway["InternetGatewayId"], call.get("VpcId")
    if not is_attached(gateway, vpc):
        raise AwsError("Gateway.NotAttached", f"resource {ident} is not attached to network {vpc}")
    interfaces = call.table("network-interface").values()
    if any(one["VpcId"] == vpc and one.get("Association") for one in interfaces):
        raise AwsError(
            "DependencyViolation",
            f"Network {vpc} has some mapped public address(es). Please unmap those public "
            "address(es) before detaching the gateway.",
        )
    gateway["Attachments"] = []
    _set_routes(call, ident, "blackhole")


def _set_routes(call: Call, gateway: str, state: str) -> None:
    table = call.table("route-table")
    for ident, found in table.items():
        if any(route.get("GatewayId") == gateway for route in found["Routes"]):
            for route in table.edit(ident)["Routes"]:
                route["State"] = state if route.get("GatewayId") == gateway else route["State"]


@operation("ec2", "DeleteInternetGateway")
def delete_internet_gateway(call: Call) -> None:
    """Remove a gateway that is attached to nothing."""
    gateway = find(call, GATEWAY, call.get("InternetGatewayId"))
    if gateway["Attachments"]:
        raise dependency("internetGateway", gateway["InternetGatewayId"])
    call.table("internet-gateway").delete(gateway["InternetGatewayId"])
