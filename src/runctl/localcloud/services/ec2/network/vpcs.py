"""VPCs and subnets of one's own."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import SUBNET, VPC, edit, find, new_id
from runctl.localcloud.services.ec2.network.defaults import (
    add_belongings,
    add_subnet,
    ensure,
    make_default,
    remove_subnet,
)
from runctl.localcloud.services.ec2.network.groups import remove_group
from runctl.localcloud.services.ec2.network.records import subnet_record, vpc_record
from runctl.localcloud.services.ec2.regions import check_zone, zones_of
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_LATER = ("AmazonProvidedIpv6CidrBlock", "Ipv6CidrBlock", "Ipv6Native", "Ipv4IpamPoolId")
_SUBNET_ATTRIBUTES = ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64")


@operation("ec2", "CreateVpc")
def create_vpc(call: Call) -> dict[str, Any]:
    """Make a VPC with what belongs to it."""
    ensure(call.cloud, call.transaction, call.region)
    block = _block(call, "InvalidVpc.Range")
    vpc = vpc_record(call.cloud.account, str(block), new_id(VPC))
    vpc |= {"Tags": tags_for(call, VPC), "InstanceTenancy": call.get("InstanceTenancy", "default")}
    call.table("vpc").put(vpc["VpcId"], vpc)
    add_belongings(call.cloud.account, call.transaction, call.region, vpc)
    return {"Vpc": {**vpc, "State": "pending"}}


@operation("ec2", "CreateDefaultVpc")
def create_default_vpc(call: Call) -> dict[str, Any]:
    """Make the default VPC anew, where it was deleted."""
    if ensure(call.cloud, call.transaction, call.region):
        raise AwsError(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        )
    vpc = make_default(call.cloud, call.transaction, call.region)
    return {"Vpc": {**vpc, "State": "pending"}}


@operation("ec2", "DeleteVpc")
def delete_vpc(call: Call) -> None:
    """Remove a VPC in which nothing is left but what belongs to it."""
    ident = find(call, VPC, call.get("VpcId"))["VpcId"]
    if _is_used(call, ident):
        raise dependency("vpc", ident)
    for kind in ("route-table", "network-acl"):
        for found_id, found in call.table(kind).items():
            if found["VpcId"] == ident:
                call.table(kind).delete(found_id)
    for group_id, group in call.table("security-group").items():
        if group["VpcId"] == ident:
            remove_group(call, group_id)
    call.table("vpc").delete(ident)


def _is_used(call: Call, vpc: str) -> bool:
    return bool(
        any(one["VpcId"] == vpc for one in call.table("subnet").values())
        or any(_is_own_group(one, vpc) for one in call.table("security-group").values())
        or any(_is_own_table(one, vpc) for one in call.table("route-table").values())
        or any(is_attached(one, vpc) for one in call.table("internet-gateway").values())
    )


def _is_own_group(group: Record, vpc: str) -> bool:
    return bool(group["VpcId"] == vpc and group["GroupName"] != "default")


def _is_own_table(table: Record, vpc: str) -> bool:
    return table["VpcId"] == vpc and not any(one["Main"] for one in table["Associations"])


def is_attached(gateway: Record, vpc: str) -> bool:
    """Whether a gateway is attached to a VPC."""
    return any(one["VpcId"] == vpc for one in gateway["Attachments"])


def dependency(kind: str, ident: str) -> AwsError:
    """Make the error of what cannot go while something else needs it."""
    return AwsError(
        "DependencyViolation", f"The {kind} '{ident}' has dependencies and cannot be deleted."
    )


@operation("ec2", "ModifyVpcAttribute")
def modify_vpc_attribute(call: Call) -> None:
    """Change one attribute of a VPC."""
    vpc = edit(call, VPC, call.get("VpcId"))
    given = [name for name in vpc["_Attributes"] if call.get(name) is not None]
    if len(given) > 1:
        raise AwsError(
            "InvalidParameterCombination", "Only one attribute can be modified at a time."
        )
    for name in given:
        vpc["_Attributes"][name] = call.get(name)["Value"]


@operation("ec2", "CreateSubnet")
def create_subnet(call: Call) -> dict[str, Any]:
    """Make a subnet in a VPC."""
    vpc = find(call, VPC, call.get("VpcId"))
    block = _block(call, "InvalidSubnet.Range")
    if not block.subnet_of(IPv4Network(vpc["CidrBlock"])):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    for other in call.table("subnet").values():
        if other["VpcId"] == vpc["VpcId"] and block.overlaps(IPv4Network(other["CidrBlock"])):
            raise AwsError(
                "InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet"
            )
    account, ident, zone = call.cloud.account, new_id(SUBNET), _zone(call)
    subnet = subnet_record(account, call.region, vpc["VpcId"], zone, block, ident)
    subnet["Tags"] = tags_for(call, SUBNET)
    return {"Subnet": add_subnet(call.transaction, call.region, subnet)}


def _zone(call: Call) -> str:
    zones = zones_of(call.region)
    by_id = {ident: name for name, ident in zones.items()}
    wanted = call.get("AvailabilityZoneId")
    if wanted is not None and wanted not in by_id:
        raise AwsError("InvalidParameterValue", f"Invalid availability zone-id: [{wanted}]")
    zone: str | None = call.get("AvailabilityZone") or by_id.get(wanted)
    if zone is not None:
        check_zone(call.region, zone)
    return zone or next(iter(zones))


def _block(call: Call, code: str) -> IPv4Network:
    """Return the range that is asked for, as AWS tells it: without the bits of a host."""
    if any(call.get(name) for name in _LATER):
        raise AwsError("UnsupportedOperation", "The networks of the local cloud have no IPv6.")
    text = call.get("CidrBlock")
    if text is None:
        raise AwsError(
            "MissingParameter",
            "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided."
            if code == "InvalidVpc.Range"
            else "Either 'cidrBlock' or 'ipv6CidrBlock' should be provided.",
        )
    try:
        block = IPv4Network(text, strict=False)
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ) from error
    if not 16 <= block.prefixlen <= 28:
        raise AwsError(code, f"The CIDR '{text}' is invalid.")
    return block


@operation("ec2", "DeleteSubnet")
def delete_subnet(call: Call) -> None:
    """Remove a subnet in which no interface is left."""
    ident = find(call, SUBNET, call.get("SubnetId"))["SubnetId"]
    if any(one["SubnetId"] == ident for one in call.table("network-interface").values()):
        raise dependency("subnet", ident)
    remove_subnet(call.transaction, call.region, ident)


@operation("ec2", "ModifySubnetAttribute")
def modify_subnet_attribute(call: Call) -> None:
    """Change one attribute of a subnet."""
    subnet = edit(call, SUBNET, call.get("SubnetId"))
    for name in _SUBNET_ATTRIBUTES:
        if call.get(name) is not None:
            subnet[name] = call.get(name)["Value"]
    names = subnet["PrivateDnsNameOptionsOnLaunch"]
    kind = call.get("PrivateDnsHostnameTypeOnLaunch")
    names |= {"HostnameType": kind} if kind else {}
    for name in ("EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord"):
        if call.get(f"{name}OnLaunch") is not None:
            names[name] = call.get(f"{name}OnLaunch")["Value"]
