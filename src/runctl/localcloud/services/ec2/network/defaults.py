"""What every region has from the start: a VPC with a subnet in each zone, and its belongings."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from runctl.localcloud.services.ec2.idents import (
    GATEWAY,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    new_id,
)
from runctl.localcloud.services.ec2.network.records import (
    acl_record,
    group_record,
    route_table_record,
    subnet_record,
    vpc_record,
)
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.state.records import Record, Transaction

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


def ensure(cloud: Cloud, transaction: Transaction, region: str) -> Record:
    """Return the default VPC of a region; make it, with all that belongs to it, at first use."""
    for vpc in transaction.table("vpc", region).values():
        if vpc["IsDefault"]:
            return vpc
    if len(transaction.table("vpc", region)):
        return {}  # it was deleted by the user, and stays away, as on AWS
    block = cloud.tier.network
    vpc = _make_vpc(cloud, transaction, region, block)
    pieces = block.subnets(new_prefix=20)
    for zone, piece in zip(zones_of(region), pieces, strict=False):
        subnet = subnet_record(cloud.account, region, vpc["VpcId"], zone, piece, new_id(SUBNET))
        subnet |= {"DefaultForAz": True, "MapPublicIpOnLaunch": True}
        transaction.table("subnet", region).put(subnet["SubnetId"], subnet)
    return vpc


def _make_vpc(cloud: Cloud, transaction: Transaction, region: str, block: IPv4Network) -> Record:
    vpc = vpc_record(cloud.account, str(block), new_id(VPC))
    vpc["IsDefault"] = True
    vpc["_Attributes"]["EnableDnsHostnames"] = True
    transaction.table("vpc", region).put(vpc["VpcId"], vpc)
    table = add_belongings(cloud.account, transaction, region, vpc)
    gateway: Record = {
        "InternetGatewayId": new_id(GATEWAY),
        "OwnerId": cloud.account,
        "Attachments": [{"State": "available", "VpcId": vpc["VpcId"]}],
        "Tags": [],
    }
    transaction.table("internet-gateway", region).put(gateway["InternetGatewayId"], gateway)
    table["Routes"].append(
        {
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": gateway["InternetGatewayId"],
            "Origin": "CreateRoute",
            "State": "active",
        }
    )
    return vpc


def add_belongings(account: str, transaction: Transaction, region: str, vpc: Record) -> Record:
    """Give a VPC its main route table, default security group and network ACL."""
    ident = vpc["VpcId"]
    group = group_record(
        account, ident, "default", "default VPC security group", new_id(SECURITY_GROUP)
    )
    group["IpPermissions"] = [
        {
            "IpProtocol": "-1",
            "IpRanges": [],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [{"GroupId": group["GroupId"], "UserId": account}],
        }
    ]
    transaction.table("security-group", region).put(group["GroupId"], group)
    acl = acl_record(account, ident)
    transaction.table("network-acl", region).put(acl["NetworkAclId"], acl)
    table = route_table_record(account, ident, vpc["CidrBlock"], new_id(ROUTE_TABLE))
    table["Associations"] = [_main_association(table)]
    return transaction.table("route-table", region).put(table["RouteTableId"], table)


def _main_association(table: Record) -> Record:
    return {
        "Main": True,
        "RouteTableAssociationId": f"rtbassoc-{table['RouteTableId'][4:]}",
        "RouteTableId": table["RouteTableId"],
        "AssociationState": {"State": "associated"},
    }
