"""Where a new instance goes: zone, subnet, address, security groups."""

from __future__ import annotations

import secrets
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from runctl.localcloud.api import Call
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.services.ec2.idents import (
    INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    find,
    find_all,
    new_id,
)
from runctl.localcloud.services.ec2.network.defaults import ensure
from runctl.localcloud.services.ec2.network.permissions import group_by_name
from runctl.localcloud.services.ec2.regions import check_zone
from runctl.localcloud.services.ec2.tags import Tag, tags_in
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

GROUPS_AT_MOST = 5


class Placement(NamedTuple):
    """A place that is taken for one instance."""

    zone: str
    subnet_id: str
    vpc_id: str
    groups: list[Record]
    private_address: str
    private_name: str
    public_address: str | None
    public_name: str
    interfaces: list[Record]


def place_of(call: Call, parameters: dict[str, Any], instance_id: str) -> Placement:
    """Take a place for an instance; ``parameters`` have the form of RunInstances'.

    The address is the machine's real one. Where the subnet gives public addresses it is the
    public one as well, since that is where the host reaches the machine.
    """
    interface = _only_interface(parameters)
    subnet = _subnet(call, parameters, interface)
    vpc = call.table("vpc").get(subnet["VpcId"]) or {}
    groups = _groups(call, parameters, interface, subnet["VpcId"])
    address = _take_address(call, vpc, subnet, instance_id)
    is_public = interface.get("AssociatePublicIpAddress", subnet["MapPublicIpOnLaunch"])
    private_name, public_name = _names(call.region, address)
    has_names = vpc.get("_Attributes", {}).get("EnableDnsHostnames")
    place = Placement(
        zone=subnet["AvailabilityZone"],
        subnet_id=subnet["SubnetId"],
        vpc_id=subnet["VpcId"],
        groups=groups,
        private_address=address,
        private_name=private_name,
        public_address=address if is_public else None,
        public_name=public_name if is_public and has_names else "",
        interfaces=[],
    )
    tags = tags_in(parameters.get("TagSpecifications", []), INTERFACE)
    record = _add_interface(call, place, instance_id, tags)
    record["Description"] = interface.get("Description", "")
    return place._replace(interfaces=[record])


def release_place(transaction: Transaction, region: str, instance_id: str) -> None:
    """Remove the interfaces of an instance that has ended; its address is the tier's to free."""
    table = transaction.table("network-interface", region)
    for ident, found in table.items():
        if found["Attachment"]["InstanceId"] == instance_id:
            table.delete(ident)
            subnets = transaction.table("subnet", region)
            if found["SubnetId"] in subnets:
                subnets.edit(found["SubnetId"])["AvailableIpAddressCount"] += 1


def _only_interface(parameters: dict[str, Any]) -> dict[str, Any]:
    interfaces = parameters.get("NetworkInterfaces") or []
    if interfaces and (parameters.get("SecurityGroupIds") or parameters.get("SubnetId")):
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID or security groups may not be "
            "specified on the same request",
        )
    if len(interfaces) > 1:
        raise AwsError("UnsupportedOperation", "The local cloud gives an instance one interface.")
    interface = dict(interfaces[0]) if interfaces else {}
    if parameters.get("PrivateIpAddress") or interface.get("PrivateIpAddress"):
        raise AwsError("UnsupportedOperation", "The local cloud chooses private addresses itself.")
    if interface.get("NetworkInterfaceId") or interface.get("DeleteOnTermination") is False:
        raise AwsError(
            "UnsupportedOperation",
            "An interface of the local cloud comes and goes with its instance.",
        )
    return interface


def _subnet(call: Call, parameters: dict[str, Any], interface: dict[str, Any]) -> Record:
    ensure(call.cloud, call.transaction, call.region)
    zone = parameters.get("Placement", {}).get("AvailabilityZone")
    if zone:
        check_zone(call.region, zone)
    ident = interface.get("SubnetId") or parameters.get("SubnetId")
    if ident:
        subnet = find(call, SUBNET, ident)
        if zone and subnet["AvailabilityZone"] != zone:
            raise AwsError(
                "InvalidParameterValue",
                f"The availability zone '{zone}' does not match the availability zone "
                f"'{subnet['AvailabilityZone']}' of the specified subnet",
            )
        return subnet
    return _default_subnet(call, zone)


def _default_subnet(call: Call, zone: str | None) -> Record:
    for subnet in call.table("subnet").values():
        if subnet["DefaultForAz"] and zone in (None, subnet["AvailabilityZone"]):
            return subnet
    if zone is None:
        raise AwsError(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for "
            "EC2-Classic and default VPC.",
        )
    raise AwsError("MissingInput", f"No default subnet for availability zone: '{zone}'.")


def _groups(
    call: Call, parameters: dict[str, Any], interface: dict[str, Any], vpc: str
) -> list[Record]:
    idents = interface.get("Groups") or parameters.get("SecurityGroupIds") or []
    names = parameters.get("SecurityGroups") or []
    if names and (interface or parameters.get("SubnetId")):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter groupName cannot be used with the parameter subnet",
        )
    found = find_all(call, SECURITY_GROUP, idents)
    found += [group_by_name(call, name, vpc) for name in names]
    if not found:
        found = [group_by_name(call, "default", vpc)]
    _check_groups(found, vpc)
    return [{"GroupId": one["GroupId"], "GroupName": one["GroupName"]} for one in found]


def _check_groups(found: list[Record], vpc: str) -> None:
    if len(found) > GROUPS_AT_MOST:
        raise AwsError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        )
    for group in found:
        if group["VpcId"] != vpc:
            raise AwsError(
                "InvalidParameter",
                f"Security group {group['GroupId']} and subnet belong to different networks.",
            )


def _take_address(call: Call, vpc: Record, subnet: Record, instance_id: str) -> str:
    """Reserve an address in the subnet; in a VPC of the user's own, one of the cloud's block."""
    within = IPv4Network(subnet["CidrBlock"]) if vpc.get("IsDefault") else None
    tier = call.cloud.tier
    record = call.table("subnet").edit(subnet["SubnetId"])
    if record["AvailableIpAddressCount"] < 1:
        raise _no_address(subnet)
    try:
        address = tier.reserve_address(instance_id, within)
    except MachineError as error:
        raise _no_address(subnet) from error
    call.undo(lambda: tier.release_address(instance_id))
    record["AvailableIpAddressCount"] -= 1
    return address


def _no_address(subnet: Record) -> AwsError:
    return AwsError(
        "InsufficientFreeAddressesInSubnet",
        f"There are not enough free addresses in subnet '{subnet['SubnetId']}' to satisfy the "
        "requested number of instances.",
    )


def _names(region: str, address: str) -> tuple[str, str]:
    dashed = address.replace(".", "-")
    inside = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    outside = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ip-{dashed}.{inside}", f"ec2-{dashed}.{outside}.amazonaws.com"


def _add_interface(call: Call, place: Placement, instance_id: str, tags: list[Tag]) -> Record:
    ident, now = new_id(INTERFACE), call.cloud.clock()
    digits = [int(part) for part in place.private_address.split(".")]
    address = {
        "Primary": True,
        "PrivateDnsName": place.private_name,
        "PrivateIpAddress": place.private_address,
    }
    if place.public_address:
        address["Association"] = {
            "IpOwnerId": "amazon",
            "PublicDnsName": place.public_name,
            "PublicIp": place.public_address,
        }
    record = {
        "NetworkInterfaceId": ident,
        "SubnetId": place.subnet_id,
        "VpcId": place.vpc_id,
        "AvailabilityZone": place.zone,
        "Description": "",
        "OwnerId": call.cloud.account,
        "MacAddress": "02:00:" + ":".join(f"{digit:02x}" for digit in digits),
        "PrivateDnsName": place.private_name,
        "PrivateIpAddress": place.private_address,
        "PrivateIpAddresses": [address],
        "Association": address.get("Association"),
        "Groups": place.groups,
        "InterfaceType": "interface",
        "Ipv6Addresses": [],
        "RequesterManaged": False,
        "SourceDestCheck": True,
        "Status": "in-use",
        "Tags": tags,
        "Attachment": {
            "AttachmentId": f"eni-attach-{secrets.token_hex(9)[:17]}",
            "AttachTime": now,
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "InstanceId": instance_id,
            "InstanceOwnerId": call.cloud.account,
            "NetworkCardIndex": 0,
            "Status": "attached",
        },
    }
    call.table("network-interface").put(ident, record)
    return record
