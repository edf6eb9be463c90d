"""Route tables, their routes, and the subnets that use them."""

from __future__ import annotations

import secrets
from ipaddress import ip_network
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import (
    GATEWAY,
    INSTANCE,
    INTERFACE,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    edit,
    find,
    new_id,
)
from runctl.localcloud.services.ec2.network.records import route_table_record
from runctl.localcloud.services.ec2.network.vpcs import dependency, is_attached
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS = ("GatewayId", "InstanceId", "NetworkInterfaceId", "NatGatewayId")
_OTHERS = (
    "CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId", "LocalGatewayId",
    "TransitGatewayId", "VpcEndpointId", "VpcPeeringConnectionId",
)  # fmt: skip


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
        raise dependency("routeTable", table["RouteTableId"])
    call.table("route-table").delete(table["RouteTableId"])


@operation("ec2", "CreateRoute", "ReplaceRoute")
def create_route(call: Call) -> dict[str, Any]:
    """Add a route, or put another in its place."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    member, where = _destination(call)
    there = [one for one in table["Routes"] if one.get(member) == where]
    if there and call.operation == "CreateRoute":
        raise AwsError("RouteAlreadyExists", f"The route identified by {where} already exists.")
    if not there and call.operation == "ReplaceRoute":
        raise _no_route(table, where)
    route = {member: where, **_target(call, table), "Origin": "CreateRoute", "State": "active"}
    table["Routes"] = [one for one in table["Routes"] if one not in there] + [route]
    return {"Return": True}


def _destination(call: Call) -> tuple[str, str]:
    given = [name for name in _DESTINATIONS if call.get(name)]
    if len(given) != 1:
        raise AwsError(
            "MissingParameter",
            "The request must contain exactly one of destinationCidrBlock, "
            "destinationIpv6CidrBlock, destinationPrefixListId",
        )
    [member] = given
    text = str(call.get(member))
    if member == "DestinationPrefixListId":
        return member, text
    try:
        return member, str(ip_network(text, strict=False))
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter {member[:1].lower()}{member[1:]} is invalid. This is "
            "not a valid CIDR block.",
        ) from error


def _target(call: Call, table: Record) -> dict[str, str]:
    if any(call.get(name) for name in _OTHERS):
        raise AwsError("UnsupportedOperation", "The local cloud has no targets of this kind.")
    given = {name: str(call.get(name)) for name in _TARGETS if call.get(name)}
    if len(given) != 1:
        raise AwsError(
            "InvalidParameterCombination",
            f"The request must contain exactly one of {', '.join(_TARGETS)}",
        )
    [(name, ident)] = given.items()
    if name == "GatewayId" and ident != "local":
        _check_gateway(call, table, ident)
    elif name == "InstanceId":
        find(call, INSTANCE, ident)
    elif name == "NetworkInterfaceId":
        find(call, INTERFACE, ident)
    elif name == "NatGatewayId":
        words = f"The NAT gateway ID '{ident}' does not exist"
        raise AwsError("InvalidNatGatewayID.NotFound", words)
    return given


def _check_gateway(call: Call, table: Record, ident: str) -> None:
    gateway = call.table(GATEWAY.kind).get(ident)
    if gateway is None:
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{ident}' does not exist")
    if not is_attached(gateway, table["VpcId"]):
        raise AwsError(
            "InvalidParameterValue",
            f"route table {table['RouteTableId']} and network gateway {ident} belong to different "
            "networks",
        )


@operation("ec2", "DeleteRoute")
def delete_route(call: Call) -> None:
    """Remove a route."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    member, where = _destination(call)
    gone = [one for one in table["Routes"] if one.get(member) == where]
    if not gone:
        raise _no_route(table, where)
    if any(one["Origin"] == "CreateRouteTable" for one in gone):
        raise AwsError(
            "InvalidParameterValue",
            f"cannot remove local route {where} in route table {table['RouteTableId']}",
        )
    table["Routes"] = [one for one in table["Routes"] if one not in gone]


def _no_route(table: Record, where: str) -> AwsError:
    return AwsError(
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block {where} in route table {table['RouteTableId']}",
    )


# ---------------------------------------------------------------- associations


@operation("ec2", "AssociateRouteTable")
def associate_route_table(call: Call) -> dict[str, Any]:
    """Let a subnet use a route table."""
    if call.get("GatewayId"):
        raise AwsError("UnsupportedOperation", "The local cloud associates subnets only.")
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    subnet = find(call, SUBNET, call.get("SubnetId"))
    _check_networks(table, subnet)
    for other in call.table("route-table").values():
        if any(one.get("SubnetId") == subnet["SubnetId"] for one in other["Associations"]):
            raise AwsError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {other['RouteTableId']} conflicts "
                "with an existing association",
            )
    return _told(_associate(table, subnet["SubnetId"]))


def _check_networks(table: Record, subnet: Record) -> None:
    if table["VpcId"] != subnet["VpcId"]:
        raise AwsError(
            "InvalidParameterValue",
            f"route table {table['RouteTableId']} and subnet {subnet['SubnetId']} belong to "
            "different networks",
        )


def _associate(table: Record, subnet: str | None) -> Record:
    association: Record = {
        "Main": subnet is None,
        "RouteTableAssociationId": f"rtbassoc-{secrets.token_hex(9)[:17]}",
        "RouteTableId": table["RouteTableId"],
        "AssociationState": {"State": "associated"},
    }
    association |= {"SubnetId": subnet} if subnet is not None else {}
    table["Associations"].append(association)
    return association


def _told(association: Record) -> Record:
    return {
        "AssociationId": association["RouteTableAssociationId"],
        "NewAssociationId": association["RouteTableAssociationId"],
        "AssociationState": association["AssociationState"],
    }


@operation("ec2", "DisassociateRouteTable")
def disassociate_route_table(call: Call) -> None:
    """Let a subnet use the main route table again."""
    association = _remove(call)
    if association["Main"]:
        raise AwsError(
            "InvalidParameterValue",
            f"cannot disassociate the main route table association {call.get('AssociationId')}",
        )


@operation("ec2", "ReplaceRouteTableAssociation")
def replace_route_table_association(call: Call) -> dict[str, Any]:
    """Let a subnet, or a VPC without one, use another route table."""
    table = edit(call, ROUTE_TABLE, call.get("RouteTableId"))
    association = _remove(call)
    if not association["Main"]:
        _check_networks(table, find(call, SUBNET, association["SubnetId"]))
    return _told(_associate(table, association.get("SubnetId")))


def _remove(call: Call) -> Record:
    """Remove the association that a call names; return it."""
    ident = call.get("AssociationId")
    for table_id, table in call.table("route-table").items():
        associations: list[Record] = table["Associations"]
        for association in associations:
            if association["RouteTableAssociationId"] == ident:
                changed = call.table("route-table").edit(table_id)
                changed["Associations"].remove(association)
                return association
    raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{ident}' does not exist")
