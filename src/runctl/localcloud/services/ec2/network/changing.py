"""VPCs, subnets, gateways and route tables of one's own."""

from __future__ import annotations

import secrets
from ipaddress import IPv4Network
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import (
    GATEWAY,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    edit,
    find,
    new_id,
)
from runctl.localcloud.services.ec2.network.defaults import add_belongings, ensure
from runctl.localcloud.services.ec2.network.records import (
    route_table_record,
    subnet_record,
    vpc_record,
)
from runctl.localcloud.services.ec2.regions import check_zone, zones_of
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


@operation("ec2", "CreateVpc")
def create_vpc(call: Call) -> dict[str, Any]:
    """Make a VPC with what belongs to it."""
    ensure(call.cloud, call.transaction, call.region)
    block = _block(call.get("CidrBlock"), "InvalidVpc.Range")
    vpc = vpc_record(call.cloud.account, str(block), new_id(VPC))
    vpc["Tags"] = tags_for(call, VPC)
    call.table("vpc").put(vpc["VpcId"], vpc)
    add_belongings(call.cloud.account, call.transaction, call.region, vpc)
    return {"Vpc": {**vpc, "State": "pending"}}


@operation("ec2", "DeleteVpc")
def delete_vpc(call: Call) -> None:
    """Remove a VPC in which nothing is left but what belongs to it."""
    ident = find(call, VPC, call.get("VpcId"))["VpcId"]
    _check_unused(call, ident, "vpc")
    for kind in ("route-table", "security-group", "network-acl"):
        for found_id, found in call.table(kind).items():
            if found["VpcId"] == ident:
                call.table(kind).delete(found_id)
    call.table("vpc").delete(ident)


def _check_unused(call: Call, ident: str, kind: str) -> None:
    used = [
        *(one for one in call.table("subnet").values() if one["VpcId"] == ident),
        *(one for one in call.table("security-group").values() if _is_own_group(one, ident)),
        *(one for one in call.table("route-table").values() if _is_own_table(one, ident)),
        *(one for one in call.table("internet-gateway").values() if _is_attached(one, ident)),
    ]
    if used:
        raise _dependency(kind, ident)


def _is_own_group(group: Record, vpc: str) -> bool:
    return bool(group["VpcId"] == vpc and group["GroupName"] != "default")


def _is_own_table(table: Record, vpc: str) -> bool:
    return table["VpcId"] == vpc and not any(one["Main"] for one in table["Associations"])


def _is_attached(gateway: Record, vpc: str) -> bool:
    return any(one["VpcId"] == vpc for one in gateway["Attachments"])


def _dependency(kind: str, ident: str) -> AwsError:
    return AwsError(
        "DependencyViolation", f"The {kind} '{ident}' has dependencies and cannot be deleted."
    )


@operation("ec2", "ModifyVpcAttribute")
def modify_vpc_attribute(call: Call) -> None:
    """Change one attribute of a VPC."""
    vpc = edit(call, VPC, call.get("VpcId"))
    for name in vpc["_Attributes"]:
        if call.get(name) is not None:
            vpc["_Attributes"][name] = call.get(name)["Value"]


@operation("ec2", "CreateSubnet")
def create_subnet(call: Call) -> dict[str, Any]:
    """Make a subnet in a VPC."""
    vpc = find(call, VPC, call.get("VpcId"))
    block = _block(call.get("CidrBlock"), "InvalidSubnet.Range")
    if not block.subnet_of(IPv4Network(vpc["CidrBlock"])):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    for other in call.table("subnet").values():
        if other["VpcId"] == vpc["VpcId"] and block.overlaps(IPv4Network(other["CidrBlock"])):
            raise AwsError(
                "InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet"
            )
    zone = _zone(call)
    account, ident = call.cloud.account, new_id(SUBNET)
    subnet = subnet_record(account, call.region, vpc["VpcId"], zone, block, ident)
    subnet["Tags"] = tags_for(call, SUBNET)
    return {"Subnet": call.table("subnet").put(ident, subnet)}


def _zone(call: Call) -> str:
    zones = zones_of(call.region)
    by_id = {ident: name for name, ident in zones.items()}
    zone = call.get("AvailabilityZone") or by_id.get(call.get("AvailabilityZoneId"))
    if zone is not None:
        check_zone(call.region, zone)
    return zone or next(iter(zones))


def _block(text: str | None, code: str) -> IPv4Network:
    try:
        block = IPv4Network(text or "")
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ) from error
    if not 16 <= block.prefixlen <= 28:
        raise AwsError(code, f"The CIDR '{block}' is invalid.")
    return block


@operation("ec2", "DeleteSubnet")
def delete_subnet(call: Call) -> None:
    """Remove a subnet in which no interface is left."""
    ident = find(call, SUBNET, call.get("SubnetId"))["SubnetId"]
    if any(one["SubnetId"] == ident for one in call.table("network-interface").values()):
        raise _dependency("subnet", ident)
    call.table("subnet").delete(ident)
    for table_id, table in call.table("route-table").items():
        if any(one.get("SubnetId") == ident for one in table["Associations"]):
            changed = call.table("route-table").edit(table_id)
            changed["Associations"] = [
                one for one in changed["Associations"] if one.get("SubnetId") != ident
            ]


@operation("ec2", "ModifySubnetAttribute")
def modify_subnet_attribute(call: Call) -> None:
    """Change one attribute of a subnet."""
    subnet = edit(call, SUBNET, call.get("SubnetId"))
    for name in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64"):
        if call.get(name) is not None:
            subnet[name] = call.get(name)["Value"]


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
    """Attach a gateway to a VPC that has none."""
    gateway = edit(call, GATEWAY, call.get("InternetGatewayId"))
    vpc = find(call, VPC, call.get("VpcId"))["VpcId"]
    if gateway["Attachments"]:
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"resource {gateway['InternetGatewayId']} is already attached to network "
            f"{gateway['Attachments'][0]['VpcId']}",
        )
    gateway["Attachments"] = [{"State": "available", "VpcId": vpc}]


@operation("ec2", "DetachInternetGateway")
def detach_internet_gateway(call: Call) -> None:
    """Detach a gateway."""
    gateway = edit(call, GATEWAY, call.get("InternetGatewayId"))
    if not _is_attached(gateway, call.get("VpcId")):
        raise AwsError(
            "Gateway.NotAttached",
            f"resource {gateway['InternetGatewayId']} is not attached to network "
            f"{call.get('VpcId')}",
        )
    gateway["Attachments"] = []


@operation("ec2", "DeleteInternetGateway")
def delete_internet_gateway(call: Call) -> None:
    """Remove a gateway that is attached to nothing."""
    gateway = find(call, GATEWAY, call.get("InternetGatewayId"))
    if gateway["Attachments"]:
        raise _dependency("internetGateway", gateway["InternetGatewayId"])
    call.table("internet-gateway").delete(gateway["InternetGatewayId"])


# ---------------------------------------------------------------- routes


@operation("ec2", "CreateRouteTable")
def create_route_table(call: Call) -> dict[str, Any]:
    """Make a route table."""
    vpc = find(call, VPC, call.get("VpcId"))
    ident = new_id(ROUTE_TABLE)
    table = route_table_record(call.cloud.account, vpc["VpcId"], vpc["CidrBlock"], ident)
    table["Tags"] = tags_for(call, ROUTE_TABLE)
    return {"RouteTable": call.table("route-table").put(ident, table)}


@operation("ec2", "DeleteRouteTable")
def delete_route_table(call: Call) -> None:
    """Remove a route table that nothing is associated with."""
    table = find(call, ROUTE_TABLE, call.get("RouteTableId"))
    if table["Associations"]:
        raise _dependency("routeTable", table["RouteTableId"])
    call.table("route-table").delete(table["RouteTableId"])


@operation("ec2", "CreateRoute", "ReplaceRoute")
def create_route(call: Call) -> dict[str, Any]:
    """Add a route, or put another in its place."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    target = call.get("DestinationCidrBlock")
    there = [one for one in table["Routes"] if one.get("DestinationCidrBlock") == target]
    if there and call.operation == "CreateRoute":
        raise AwsError("RouteAlreadyExists", f"The route identified by {target} already exists.")
    if not there and call.operation == "ReplaceRoute":
        raise _no_route(table, target)
    if call.get("GatewayId") and call.get("GatewayId") != "local":
        find(call, GATEWAY, call.get("GatewayId"))
    table["Routes"] = [one for one in table["Routes"] if one not in there]
    names = ("GatewayId", "InstanceId", "NetworkInterfaceId", "NatGatewayId")
    route = {name: call.get(name) for name in names if call.get(name)}
    route |= {"DestinationCidrBlock": target, "Origin": "CreateRoute", "State": "active"}
    table["Routes"].append(route)
    return {"Return": True}


@operation("ec2", "DeleteRoute")
def delete_route(call: Call) -> None:
    """Remove a route."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    target = call.get("DestinationCidrBlock")
    kept = [one for one in table["Routes"] if one.get("DestinationCidrBlock") != target]
    if len(kept) == len(table["Routes"]):
        raise _no_route(table, target)
    table["Routes"] = kept


def _no_route(table: Record, target: str) -> AwsError:
    return AwsError(
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block {target} in route table {table['RouteTableId']}",
    )


@operation("ec2", "AssociateRouteTable")
def associate_route_table(call: Call) -> dict[str, Any]:
    """Let a subnet use a route table."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    subnet = find(call, SUBNET, call.get("SubnetId"))["SubnetId"]
    for other in call.table("route-table").values():
        if any(one.get("SubnetId") == subnet for one in other["Associations"]):
            raise AwsError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {other['RouteTableId']} conflicts "
                "with an existing association",
            )
    association = {
        "Main": False,
        "RouteTableAssociationId": f"rtbassoc-{secrets.token_hex(9)[:17]}",
        "RouteTableId": table["RouteTableId"],
        "SubnetId": subnet,
        "AssociationState": {"State": "associated"},
    }
    table["Associations"].append(association)
    return {
        "AssociationId": association["RouteTableAssociationId"],
        "AssociationState": association["AssociationState"],
    }


@operation("ec2", "DisassociateRouteTable")
def disassociate_route_table(call: Call) -> None:
    """Let a subnet use the main route table again."""
    ident = call.get("AssociationId")
    for table_id, table in call.table("route-table").items():
        if any(one["RouteTableAssociationId"] == ident for one in table["Associations"]):
            changed = call.table("route-table").edit(table_id)
            changed["Associations"] = [
                one for one in changed["Associations"] if one["RouteTableAssociationId"] != ident
            ]
            return
    raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{ident}' does not exist")
