"""The forms of the network's records."""

from __future__ import annotations

from ipaddress import IPv4Network

from runctl.localcloud.services.ec2.network.rules import SOURCES, add_rules, rules_in
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.state.records import Record, Transaction

DHCP_OPTIONS = "dopt-0123456789abcdef0"
EVERYWHERE = "0.0.0.0/0"


def vpc_record(account: str, block: str, ident: str) -> Record:
    """Return a VPC that is available at once."""
    return {
        "VpcId": ident,
        "CidrBlock": block,
        "CidrBlockAssociationSet": [
            {
                "AssociationId": f"vpc-cidr-assoc-{ident[4:]}",
                "CidrBlock": block,
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "DhcpOptionsId": DHCP_OPTIONS,
        "InstanceTenancy": "default",
        "IsDefault": False,
        "OwnerId": account,
        "State": "available",
        "Tags": [],
        "_Attributes": {
            "EnableDnsSupport": True,
            "EnableDnsHostnames": False,
            "EnableNetworkAddressUsageMetrics": False,
        },
    }


def subnet_record(
    account: str, region: str, vpc: str, zone: str, block: IPv4Network, ident: str
) -> Record:
    """Return a subnet; AWS keeps five addresses of each for itself."""
    return {
        "SubnetId": ident,
        "SubnetArn": f"arn:aws:ec2:{region}:{account}:subnet/{ident}",
        "VpcId": vpc,
        "OwnerId": account,
        "AvailabilityZone": zone,
        "AvailabilityZoneId": zones_of(region)[zone],
        "CidrBlock": str(block),
        "AvailableIpAddressCount": block.num_addresses - 5,
        "AssignIpv6AddressOnCreation": False,
        "DefaultForAz": False,
        "EnableDns64": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": False,
        "MapCustomerOwnedIpOnLaunch": False,
        "MapPublicIpOnLaunch": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "State": "available",
        "Tags": [],
    }


def add_group(
    account: str, transaction: Transaction, region: str, vpc: str, name: str, ident: str
) -> Record:
    """Add a security group, out of which everything may go."""
    group: Record = {
        "GroupId": ident,
        "GroupName": name,
        "Description": "default VPC security group",
        "OwnerId": account,
        "VpcId": vpc,
        "SecurityGroupArn": f"arn:aws:ec2:{region}:{account}:security-group/{ident}",
        "IpPermissions": [],
        "IpPermissionsEgress": [],
        "Tags": [],
    }
    transaction.table("security-group", region).put(ident, group)
    everything = {**permission("-1"), "IpRanges": [{"CidrIp": EVERYWHERE}]}
    add_rules(transaction, region, rules_in(group, [everything], is_egress=True))
    return group


def permission(protocol: str) -> Record:
    """Return a permission that names no sources yet."""
    return {"IpProtocol": protocol, **{kind: [] for kind in SOURCES}}


def route_table_record(account: str, vpc: str, block: str, ident: str) -> Record:
    """Return a route table with the route inside the VPC."""
    local = {
        "DestinationCidrBlock": block,
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    }
    return {
        "RouteTableId": ident,
        "VpcId": vpc,
        "OwnerId": account,
        "Routes": [local],
        "Associations": [],
        "PropagatingVgws": [],
        "Tags": [],
    }


def acl_record(account: str, vpc: str, ident: str) -> Record:
    """Return the network ACL that a VPC begins with: everything may pass."""
    entries = [
        {
            "CidrBlock": EVERYWHERE,
            "Egress": is_egress,
            "Protocol": "-1",
            "RuleAction": action,
            "RuleNumber": number,
        }
        for is_egress in (True, False)
        for action, number in (("allow", 100), ("deny", 32767))
    ]
    return {
        "NetworkAclId": ident,
        "VpcId": vpc,
        "OwnerId": account,
        "IsDefault": True,
        "Associations": [],
        "Entries": entries,
        "Tags": [],
    }
