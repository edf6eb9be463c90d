"""What the network consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import (
    GATEWAY,
    INTERFACE,
    NETWORK_ACL,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    Noun,
    find,
    find_all,
)
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.services.ec2.instances.telling import told_interface
from runctl.localcloud.services.ec2.network.defaults import ensure
from runctl.localcloud.services.ec2.network.placement import GROUPS_AT_MOST
from runctl.localcloud.services.ec2.network.records import DHCP_OPTIONS
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_VPC_FILTERS: Mapping[str, Filter] = {
    "cidr": path("CidrBlock"),
    "cidr-block": path("CidrBlock"),
    "cidr-block-association.association-id": path("CidrBlockAssociationSet", "AssociationId"),
    "cidr-block-association.cidr-block": path("CidrBlockAssociationSet", "CidrBlock"),
    "cidr-block-association.state": path("CidrBlockAssociationSet", "CidrBlockState", "State"),
    "dhcp-options-id": path("DhcpOptionsId"),
    "is-default": path("IsDefault"),
    "isDefault": path("IsDefault"),
    "owner-id": path("OwnerId"),
    "state": path("State"),
    "vpc-id": path("VpcId"),
}
_SUBNET_FILTERS: Mapping[str, Filter] = {
    "availability-zone": path("AvailabilityZone"),
    "availabilityZone": path("AvailabilityZone"),
    "availability-zone-id": path("AvailabilityZoneId"),
    "availabilityZoneId": path("AvailabilityZoneId"),
    "available-ip-address-count": path("AvailableIpAddressCount"),
    "cidr": path("CidrBlock"),
    "cidr-block": path("CidrBlock"),
    "cidrBlock": path("CidrBlock"),
    "default-for-az": path("DefaultForAz"),
    "defaultForAz": path("DefaultForAz"),
    "map-public-ip-on-launch": path("MapPublicIpOnLaunch"),
    "owner-id": path("OwnerId"),
    "state": path("State"),
    "subnet-arn": path("SubnetArn"),
    "subnet-id": path("SubnetId"),
    "vpc-id": path("VpcId"),
}
_GATEWAY_FILTERS: Mapping[str, Filter] = {
    "attachment.state": path("Attachments", "State"),
    "attachment.vpc-id": path("Attachments", "VpcId"),
    "internet-gateway-id": path("InternetGatewayId"),
    "owner-id": path("OwnerId"),
}
_ROUTE_TABLE_FILTERS: Mapping[str, Filter] = {
    "association.gateway-id": path("Associations", "GatewayId"),
    "association.main": path("Associations", "Main"),
    "association.route-table-association-id": path("Associations", "RouteTableAssociationId"),
    "association.route-table-id": path("Associations", "RouteTableId"),
    "association.subnet-id": path("Associations", "SubnetId"),
    "owner-id": path("OwnerId"),
    "route-table-id": path("RouteTableId"),
    "route.destination-cidr-block": path("Routes", "DestinationCidrBlock"),
    "route.gateway-id": path("Routes", "GatewayId"),
    "route.instance-id": path("Routes", "InstanceId"),
    "route.nat-gateway-id": path("Routes", "NatGatewayId"),
    "route.origin": path("Routes", "Origin"),
    "route.state": path("Routes", "State"),
    "vpc-id": path("VpcId"),
}
_INTERFACE_FILTERS: Mapping[str, Filter] = {
    "attachment.attachment-id": path("Attachment", "AttachmentId"),
    "attachment.delete-on-termination": path("Attachment", "DeleteOnTermination"),
    "attachment.device-index": path("Attachment", "DeviceIndex"),
    "attachment.instance-id": path("Attachment", "InstanceId"),
    "attachment.instance-owner-id": path("Attachment", "InstanceOwnerId"),
    "attachment.status": path("Attachment", "Status"),
    "addresses.private-ip-address": path("PrivateIpAddresses", "PrivateIpAddress"),
    "association.public-ip": path("Association", "PublicIp"),
    "availability-zone": path("AvailabilityZone"),
    "description": path("Description"),
    "group-id": path("Groups", "GroupId"),
    "group-name": path("Groups", "GroupName"),
    "interface-type": path("InterfaceType"),
    "mac-address": path("MacAddress"),
    "network-interface-id": path("NetworkInterfaceId"),
    "owner-id": path("OwnerId"),
    "private-dns-name": path("PrivateDnsName"),
    "private-ip-address": path("PrivateIpAddress"),
    "requester-managed": path("RequesterManaged"),
    "status": path("Status"),
    "subnet-id": path("SubnetId"),
    "vpc-id": path("VpcId"),
}
_ACL_FILTERS: Mapping[str, Filter] = {
    "association.subnet-id": path("Associations", "SubnetId"),
    "association.association-id": path("Associations", "NetworkAclAssociationId"),
    "association.network-acl-id": path("Associations", "NetworkAclId"),
    "default": path("IsDefault"),
    "entry.cidr": path("Entries", "CidrBlock"),
    "entry.egress": path("Entries", "Egress"),
    "entry.protocol": path("Entries", "Protocol"),
    "entry.rule-action": path("Entries", "RuleAction"),
    "entry.rule-number": path("Entries", "RuleNumber"),
    "network-acl-id": path("NetworkAclId"),
    "owner-id": path("OwnerId"),
    "vpc-id": path("VpcId"),
}
_DHCP_FILTERS: Mapping[str, Filter] = {
    "dhcp-options-id": path("DhcpOptionsId"),
    "key": path("DhcpConfigurations", "Key"),
    "owner-id": path("OwnerId"),
    "value": path("DhcpConfigurations", "Values", "Value"),
}


@operation("ec2", "DescribeVpcs")
def describe_vpcs(call: Call) -> dict[str, Any]:
    """List VPCs."""
    found = apply(_VPC_FILTERS, call.get("Filters"), _named(call, VPC, "VpcIds"))
    return page(call, "Vpcs", found, sort_by="VpcId")


@operation("ec2", "DescribeSubnets")
def describe_subnets(call: Call) -> dict[str, Any]:
    """List subnets."""
    found = apply(_SUBNET_FILTERS, call.get("Filters"), _named(call, SUBNET, "SubnetIds"))
    return page(call, "Subnets", found, sort_by="SubnetId")


@operation("ec2", "DescribeInternetGateways")
def describe_internet_gateways(call: Call) -> dict[str, Any]:
    """List internet gateways."""
    found = _named(call, GATEWAY, "InternetGatewayIds")
    found = apply(_GATEWAY_FILTERS, call.get("Filters"), found)
    return page(call, "InternetGateways", found, sort_by="InternetGatewayId")


@operation("ec2", "DescribeRouteTables")
def describe_route_tables(call: Call) -> dict[str, Any]:
    """List route tables."""
    found = _named(call, ROUTE_TABLE, "RouteTableIds")
    found = apply(_ROUTE_TABLE_FILTERS, call.get("Filters"), found)
    return page(call, "RouteTables", found, sort_by="RouteTableId")


@operation("ec2", "DescribeNetworkInterfaces")
def describe_network_interfaces(call: Call) -> dict[str, Any]:
    """List network interfaces."""
    found = _named(call, INTERFACE, "NetworkInterfaceIds")
    found = apply(_INTERFACE_FILTERS, call.get("Filters"), [_told(call, one) for one in found])
    found = [{**one, "TagSet": one["Tags"]} for one in found]
    return page(call, "NetworkInterfaces", found, sort_by="NetworkInterfaceId")


@operation("ec2", "DescribeNetworkAcls")
def describe_network_acls(call: Call) -> dict[str, Any]:
    """List network ACLs."""
    found = _named(call, NETWORK_ACL, "NetworkAclIds")
    found = apply(_ACL_FILTERS, call.get("Filters"), found)
    return page(call, "NetworkAcls", found, sort_by="NetworkAclId")


@operation("ec2", "DescribeDhcpOptions")
def describe_dhcp_options(call: Call) -> dict[str, Any]:
    """List the one set of DHCP options that there is."""
    inside = "ec2.internal" if call.region == "us-east-1" else f"{call.region}.compute.internal"
    options = {
        "DhcpOptionsId": DHCP_OPTIONS,
        "OwnerId": call.cloud.account,
        "DhcpConfigurations": [
            {"Key": "domain-name", "Values": [{"Value": inside}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ],
        "Tags": [],
    }
    for ident in call.get("DhcpOptionsIds") or ():
        if ident != DHCP_OPTIONS:
            words = f"The dhcpOption ID '{ident}' does not exist"
            raise AwsError("InvalidDhcpOptionID.NotFound", words)
    found = apply(_DHCP_FILTERS, call.get("Filters"), [options])
    return page(call, "DhcpOptions", found, sort_by="DhcpOptionsId")


@operation("ec2", "DescribeVpcAttribute")
def describe_vpc_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of a VPC."""
    ensure(call.cloud, call.transaction, call.region)
    vpc, name = find(call, VPC, call.get("VpcId")), call.get("Attribute")
    member = name[:1].upper() + name[1:]
    return {"VpcId": vpc["VpcId"], member: {"Value": vpc["_Attributes"][member]}}


@operation("ec2", "DescribeAccountAttributes")
def describe_account_attributes(call: Call) -> dict[str, Any]:
    """Return what is known of the account."""
    vpc = ensure(call.cloud, call.transaction, call.region)
    known = {
        "supported-platforms": "VPC",
        "default-vpc": vpc.get("VpcId", "none"),
        "max-instances": "1000",
        "vpc-max-security-groups-per-interface": str(GROUPS_AT_MOST),
        "max-elastic-ips": "5",
        "vpc-max-elastic-ips": "5",
    }
    wanted = call.get("AttributeNames") or known
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": known[name]}]}
            for name in wanted
            if name in known
        ]
    }


def _told(call: Call, interface: Record) -> Record:
    instance = call.table("instance").get(interface["Attachment"]["InstanceId"])
    return interface if instance is None else told_interface(interface, state_of(instance))


def _named(call: Call, noun: Noun, parameter: str) -> list[Record]:
    ensure(call.cloud, call.transaction, call.region)
    idents = call.get(parameter)
    return find_all(call, noun, idents) if idents else call.table(noun.kind).values()
