"""What every region has from the start: a VPC with a subnet in each zone, and its belongings."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from runctl.localcloud.services.ec2.idents import (
    GATEWAY,
    NETWORK_ACL,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    new_id,
)
from runctl.localcloud.services.ec2.network.records import (
    EVERYWHERE,
    acl_record,
    add_group,
    permission,
    route_table_record,
    subnet_record,
    vpc_record,
)
from runctl.localcloud.services.ec2.network.rules import add_rules, rules_in
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.state.records import Record, Transaction

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_MADE = "default-vpc"
_PIECE_BITS = 20


def ensure(cloud: Cloud, transaction: Transaction, region: str) -> Record:
    """Return the default VPC of a region; make it, with all that belongs to it, at first use.

    One that the user has deleted stays away, as on AWS: then nothing is returned.
    """
    made = transaction.table(_MADE, region).get("made")
    if made is not None:
        return transaction.table("vpc", region).get(made["VpcId"]) or {}
    return make_default(cloud, transaction, region)


def make_default(cloud: Cloud, transaction: Transaction, region: str) -> Record:
    """Make the default VPC of a region."""
    block = cloud.tier.network
    vpc = vpc_record(cloud.account, str(block), new_id(VPC))
    vpc["IsDefault"] = True
    vpc["_Attributes"]["EnableDnsHostnames"] = True
    ident = vpc["VpcId"]
    transaction.table("vpc", region).put(ident, vpc)
    transaction.table(_MADE, region).put("made", {"VpcId": ident})
    table = add_belongings(cloud.account, transaction, region, vpc)
    table["Routes"].append(_way_out(cloud.account, transaction, region, ident))
    for zone, piece in zip(zones_of(region), block.subnets(new_prefix=_PIECE_BITS), strict=False):
        subnet = subnet_record(cloud.account, region, ident, zone, piece, new_id(SUBNET))
        add_subnet(
            transaction, region, {**subnet, "DefaultForAz": True, "MapPublicIpOnLaunch": True}
        )
    return vpc


def _way_out(account: str, transaction: Transaction, region: str, vpc: str) -> Record:
    """Add an internet gateway; return the route that leads to it."""
    ident = new_id(GATEWAY)
    gateway: Record = {
        "InternetGatewayId": ident,
        "OwnerId": account,
        "Attachments": [{"State": "available", "VpcId": vpc}],
        "Tags": [],
    }
    transaction.table("internet-gateway", region).put(ident, gateway)
    return {
        "DestinationCidrBlock": EVERYWHERE,
        "GatewayId": ident,
        "Origin": "CreateRoute",
        "State": "active",
    }


def add_belongings(account: str, transaction: Transaction, region: str, vpc: Record) -> Record:
    """Give a VPC its default security group, network ACL and main route table; return that."""
    ident, group_id, acl = vpc["VpcId"], new_id(SECURITY_GROUP), new_id(NETWORK_ACL)
    group = add_group(account, transaction, region, ident, "default", group_id)
    own = [{"GroupId": group_id, "UserId": account}]
    among = {**permission("-1"), "UserIdGroupPairs": own}
    add_rules(transaction, region, rules_in(group, [among], is_egress=False))
    transaction.table("network-acl", region).put(acl, acl_record(account, ident, acl))
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


def add_subnet(transaction: Transaction, region: str, subnet: Record) -> Record:
    """Add a subnet; the network ACL of its VPC is its own from then on."""
    ident = subnet["SubnetId"]
    transaction.table("subnet", region).put(ident, subnet)
    acls = transaction.table("network-acl", region)
    for acl_id, acl in acls.items():
        if acl["VpcId"] == subnet["VpcId"] and acl["IsDefault"]:
            acls.edit(acl_id)["Associations"].append(
                {
                    "NetworkAclAssociationId": f"aclassoc-{secrets.token_hex(9)[:17]}",
                    "NetworkAclId": acl_id,
                    "SubnetId": ident,
                }
            )
    return subnet


def remove_subnet(transaction: Transaction, region: str, ident: str) -> None:
    """Remove a subnet, and what associates it with route tables and network ACLs."""
    transaction.table("subnet", region).delete(ident)
    for kind in ("route-table", "network-acl"):
        table = transaction.table(kind, region)
        for found_id, found in table.items():
            if any(one.get("SubnetId") == ident for one in found["Associations"]):
                changed = table.edit(found_id)
                changed["Associations"] = [
                    one for one in changed["Associations"] if one.get("SubnetId") != ident
                ]
