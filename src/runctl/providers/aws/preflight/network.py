"""Whether an instance will reach what it needs: by a route, or by endpoints in its VPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import NotFoundError, TransportError
from runctl.model.wish import InstanceWish

SERVICES = ("ssm", "ssmmessages", "ec2messages", "s3")
_Told = Mapping[str, Any]


def look_at_network(account: Account, wish: InstanceWish) -> str:
    """Say how the subnets lead out; TransportError for one that does not."""
    subnets = find_subnets(account, wish)
    vpc = subnets[0]["VpcId"]
    tables = _list(account, "describe_route_tables", "RouteTables", vpc)
    closed = [one for one in subnets if _barrier(one, tables)]
    if not closed:
        return f"{_name(subnets)} of {vpc} lead to the internet"
    endpoints = _list(account, "describe_vpc_endpoints", "VpcEndpoints", vpc)
    for subnet in closed:
        _check_endpoints(account, subnet, tables, endpoints)
    return f"{_name(closed)} of {vpc} have the endpoints {', '.join(SERVICES)}"


def find_subnets(account: Account, wish: InstanceWish) -> Sequence[_Told]:
    """Return the wished subnet, or the default ones of the wished zones: never none."""
    filters = [{"Name": "default-for-az", "Values": ["true"]}]
    if wish.zones:
        filters.append({"Name": "availability-zone", "Values": list(wish.zones)})
    asked: dict[str, Any] = {"SubnetIds": [wish.subnet]} if wish.subnet else {"Filters": filters}
    with translated("the subnets cannot be looked at", hint="aws ec2 describe-subnets"):
        told: Sequence[_Told] = account.client("ec2").describe_subnets(**asked)["Subnets"]
    if not told:
        place = ", ".join(wish.zones) or account.region
        raise NotFoundError(
            f"there is no default subnet in {place}", hint="aws ec2 create-default-vpc"
        )
    return told


def _barrier(subnet: _Told, tables: Sequence[_Told]) -> str | None:
    """Return the command that opens a subnet to the internet; None if it is open."""
    table = _table_of(subnet, tables)
    routes = table.get("Routes", []) if table else []
    for route in routes:
        is_out = route.get("DestinationCidrBlock") == "0.0.0.0/0"
        if not is_out or route.get("State") == "blackhole":
            continue
        is_direct = str(route.get("GatewayId", "")).startswith("igw-")
        if is_direct and not subnet.get("MapPublicIpOnLaunch"):
            return (f"aws ec2 modify-subnet-attribute --subnet-id {subnet['SubnetId']} "
                    "--map-public-ip-on-launch")  # fmt: skip
        return None
    ident = table["RouteTableId"] if table else "rtb-…"
    return (f"aws ec2 create-route --route-table-id {ident} "
            "--destination-cidr-block 0.0.0.0/0 --gateway-id igw-…")  # fmt: skip


def _table_of(subnet: _Told, tables: Sequence[_Told]) -> _Told | None:
    """Return the table that a subnet is associated with, else the main one of its VPC."""
    main = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet["SubnetId"]:
                return table
            main = table if association.get("Main") else main
    return main


def _check_endpoints(
    account: Account, subnet: _Told, tables: Sequence[_Told], endpoints: Sequence[_Told]
) -> None:
    table = _table_of(subnet, tables)
    usable = [one for one in endpoints if _serves(one, subnet, table)]
    names = {one["ServiceName"].rpartition(".")[2] for one in usable}
    missing = [name for name in SERVICES if name not in names]
    if missing:
        raise TransportError(
            f"{subnet['SubnetId']} leads neither to the internet nor to {', '.join(missing)}",
            hint=_barrier(subnet, tables),
            subnet=subnet["SubnetId"],
            region=account.region,
        )


def _serves(endpoint: _Told, subnet: _Told, table: _Told | None) -> bool:
    """A gateway serves the subnets of its tables; an interface serves its whole VPC."""
    if str(endpoint.get("State", "")).lower() != "available":
        return False
    if endpoint.get("VpcEndpointType") == "Gateway":
        return table is not None and table["RouteTableId"] in endpoint.get("RouteTableIds", [])
    return bool(endpoint.get("VpcId") == subnet["VpcId"])


def _list(account: Account, operation: str, member: str, vpc: str) -> list[_Told]:
    pages = account.client("ec2").get_paginator(operation)
    with translated(f"the network of {vpc} cannot be looked at"):
        found = pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        return [one for page in found for one in page[member]]


def _name(subnets: Sequence[_Told]) -> str:
    return ", ".join(one["SubnetId"] for one in subnets)
