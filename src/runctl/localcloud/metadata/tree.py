"""The tree of an instance's metadata: folders, and what is in them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runctl.localcloud.metadata.documents import identity_document, iso_time, write_document
from runctl.localcloud.metadata.profile import profile_tree
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

Leaf = str | bytes | Callable[[], str]
Tree = dict[str, Any]
"""Names to leaves and trees; what is None is not there."""


def build_tree(cloud: Cloud, region: str, instance: Record) -> Tree:
    """Return everything under one version."""
    user_data = base64.b64decode(instance.get("_UserData") or "")
    return {
        "dynamic": {
            "instance-identity": {
                "document": lambda: identity_document(cloud.account, region, instance)
            }
        },
        "meta-data": _meta_data(cloud, region, instance),
        "user-data": user_data or None,
    }


def _meta_data(cloud: Cloud, region: str, instance: Record) -> Tree:
    public = instance.get("PublicIpAddress")
    is_spot = instance.get("InstanceLifecycle") == "spot"
    return {
        "ami-id": instance["ImageId"],
        "ami-launch-index": str(instance.get("AmiLaunchIndex", 0)),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _devices(instance),
        "events": _events(instance),
        "hostname": instance.get("PrivateDnsName"),
        "iam": profile_tree(cloud, region, instance),
        "instance-action": "none",
        "instance-id": instance["InstanceId"],
        "instance-life-cycle": "spot" if is_spot else "on-demand",
        "instance-type": instance["InstanceType"],
        "local-hostname": instance.get("PrivateDnsName"),
        "local-ipv4": instance.get("PrivateIpAddress"),
        "mac": _mac(instance),
        "network": {"interfaces": {"macs": _interfaces(cloud, region, instance)}},
        "placement": _placement(cloud, region, instance),
        "profile": "default-hvm",
        "public-hostname": instance.get("PublicDnsName") if public else None,
        "public-ipv4": public,
        "public-keys": _public_keys(instance),
        "reservation-id": instance.get("_ReservationId"),
        "security-groups": _lines(g["GroupName"] for g in instance.get("SecurityGroups", [])),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        "spot": _spot(instance),
        "system": "nitro",
        "tags": _tags(instance),
    }


def _lines(texts: Any) -> str | None:
    return "\n".join(texts) or None


def _devices(instance: Record) -> Tree:
    root = instance.get("RootDeviceName")
    names = [one["DeviceName"] for one in instance.get("BlockDeviceMappings", [])]
    others = [name for name in names if name != root]
    numbered = {f"ebs{number}": name for number, name in enumerate(others, 1)}
    return {"ami": root, **numbered, "root": root}


def _events(instance: Record) -> Tree:
    noticed = instance.get("_RebalanceNotice")
    rebalance = write_document({"noticeTime": iso_time(noticed)}) if noticed else None
    return {
        "maintenance": {"history": "[]", "scheduled": "[]"},
        "recommendations": {"rebalance": rebalance} if rebalance else None,
    }


def _spot(instance: Record) -> Tree | None:
    action = instance.get("_SpotAction")
    if not action:
        return None
    when = iso_time(action["time"])
    told = f'{{"action": "{action["action"]}", "time": "{when}"}}'
    ends = action["action"] == "terminate"
    return {"instance-action": told, "termination-time": when if ends else None}


def _mac(instance: Record) -> str | None:
    interfaces = instance.get("NetworkInterfaces", [])
    return interfaces[0].get("MacAddress") if interfaces else None


def _interfaces(cloud: Cloud, region: str, instance: Record) -> Tree | None:
    found = {
        f"{one['MacAddress']}": _interface(cloud, region, instance, number, one)
        for number, one in enumerate(instance.get("NetworkInterfaces", []))
        if one.get("MacAddress")
    }
    return found or None


def _interface(cloud: Cloud, region: str, instance: Record, number: int, interface: Record) -> Tree:
    subnet = cloud.records.peek("subnet", region, interface.get("SubnetId", "")) or {}
    vpc = cloud.records.peek("vpc", region, interface.get("VpcId", "")) or {}
    groups = interface.get("Groups") or instance.get("SecurityGroups", [])
    public = instance.get("PublicIpAddress") if number == 0 else None
    address = interface.get("PrivateIpAddress")
    return {
        "device-number": str(number),
        "interface-id": interface.get("NetworkInterfaceId"),
        "ipv4-associations": {public: address} if public else None,
        "local-hostname": instance.get("PrivateDnsName"),
        "local-ipv4s": address,
        "mac": interface["MacAddress"],
        "owner-id": cloud.account,
        "public-hostname": instance.get("PublicDnsName") if public else None,
        "public-ipv4s": public,
        "security-group-ids": _lines(group["GroupId"] for group in groups),
        "security-groups": _lines(group["GroupName"] for group in groups),
        "subnet-id": interface.get("SubnetId"),
        "subnet-ipv4-cidr-block": subnet.get("CidrBlock"),
        "vpc-id": interface.get("VpcId"),
        "vpc-ipv4-cidr-block": vpc.get("CidrBlock"),
        "vpc-ipv4-cidr-blocks": vpc.get("CidrBlock"),
    }


def _placement(cloud: Cloud, region: str, instance: Record) -> Tree:
    subnet = cloud.records.peek("subnet", region, instance.get("SubnetId", "")) or {}
    placement = instance.get("Placement", {})
    return {
        "availability-zone": placement.get("AvailabilityZone"),
        "availability-zone-id": subnet.get("AvailabilityZoneId"),
        "group-name": placement.get("GroupName") or None,
        "region": region,
    }


def _public_keys(instance: Record) -> Tree | None:
    if not instance.get("_PublicKey"):
        return None
    # Listed as "0=name", and asked for as "0".
    return {f"0={instance['KeyName']}": {"openssh-key": instance["_PublicKey"]}}


def _tags(instance: Record) -> Tree | None:
    if instance.get("MetadataOptions", {}).get("InstanceMetadataTags") != "enabled":
        return None
    return {"instance": {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])} or None}
