"""Security groups. They are kept, and enforced by nothing here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SECURITY_GROUP, VPC, edit, find, find_all, new_id
from runctl.localcloud.services.ec2.network.defaults import ensure
from runctl.localcloud.services.ec2.network.permissions import group_by_name
from runctl.localcloud.services.ec2.network.records import add_group
from runctl.localcloud.services.ec2.network.rules import rules_of
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def _rule_filters(prefix: str, member: str) -> dict[str, Filter]:
    return {
        f"{prefix}.cidr": path(member, "IpRanges", "CidrIp"),
        f"{prefix}.from-port": path(member, "FromPort"),
        f"{prefix}.group-id": path(member, "UserIdGroupPairs", "GroupId"),
        f"{prefix}.ipv6-cidr": path(member, "Ipv6Ranges", "CidrIpv6"),
        f"{prefix}.prefix-list-id": path(member, "PrefixListIds", "PrefixListId"),
        f"{prefix}.protocol": path(member, "IpProtocol"),
        f"{prefix}.to-port": path(member, "ToPort"),
        f"{prefix}.user-id": path(member, "UserIdGroupPairs", "UserId"),
    }


_FILTERS: Mapping[str, Filter] = {
    "description": path("Description"),
    "group-id": path("GroupId"),
    "group-name": path("GroupName"),
    "owner-id": path("OwnerId"),
    "vpc-id": path("VpcId"),
    **_rule_filters("ip-permission", "IpPermissions"),
    **_rule_filters("egress.ip-permission", "IpPermissionsEgress"),
}


@operation("ec2", "DescribeSecurityGroups")
def describe_security_groups(call: Call) -> dict[str, Any]:
    """List security groups: all, by id, or those of the default VPC by name."""
    default = ensure(call.cloud, call.transaction, call.region).get("VpcId", "")
    idents, names = call.get("GroupIds"), call.get("GroupNames")
    found = find_all(call, SECURITY_GROUP, idents) if idents else _all(call)
    if names:
        named = [group_by_name(call, name, default)["GroupId"] for name in names]
        found = [group for group in found if group["GroupId"] in named]
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "SecurityGroups", found, sort_by="GroupId")


def _all(call: Call) -> list[Record]:
    return call.table("security-group").values()


@operation("ec2", "CreateSecurityGroup")
def create_security_group(call: Call) -> dict[str, Any]:
    """Make a security group, out of which everything may go."""
    default = ensure(call.cloud, call.transaction, call.region)
    vpc = call.get("VpcId") or default.get("VpcId")
    if vpc is None:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user.")
    find(call, VPC, vpc)
    name = call.get("GroupName")
    _check_words(name, call.get("Description"))
    if any((one["GroupName"], one["VpcId"]) == (name, vpc) for one in _all(call)):
        raise AwsError(
            "InvalidGroup.Duplicate",
            f"The security group '{name}' already exists for VPC '{vpc}'",
        )
    ident = new_id(SECURITY_GROUP)
    add_group(call.cloud.account, call.transaction, call.region, vpc, name, ident)
    group = call.table("security-group").edit(ident)
    group |= {"Description": call.get("Description"), "Tags": tags_for(call, SECURITY_GROUP)}
    names = ("GroupId", "Tags", "SecurityGroupArn")
    return {member: group[member] for member in names}


def _check_words(name: str, description: str) -> None:
    if name == "default":
        raise AwsError("InvalidParameterValue", f"Cannot use reserved security group name: {name}")
    if name.startswith("sg-"):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the "
            "format sg-*.",
        )
    for member, text in (("GroupName", name), ("GroupDescription", description)):
        if not text or not _TEXT.fullmatch(text):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({text}) for parameter {member} is invalid. Character sets beyond ASCII "
                "are not supported.",
            )


@operation("ec2", "DeleteSecurityGroup")
def delete_security_group(call: Call) -> dict[str, Any]:
    """Remove a group that nothing uses."""
    group = named_group(call)
    ident = group["GroupId"]
    if group["GroupName"] == "default":
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{ident}" name: "default" cannot be deleted by a user',
        )
    if _is_used(call, ident):
        raise AwsError("DependencyViolation", f"resource {ident} has a dependent object")
    remove_group(call, ident)
    return {"Return": True, "GroupId": ident}


def _is_used(call: Call, ident: str) -> bool:
    of_interface, of_rule = path("Groups", "GroupId"), path("ReferencedGroupInfo", "GroupId")
    interfaces = call.table("network-interface").values()
    rules = [one for one in call.table("security-group-rule").values() if one["GroupId"] != ident]
    return any(ident in of_interface(one) for one in interfaces) or any(
        ident in of_rule(one) for one in rules
    )


def remove_group(call: Call, ident: str) -> None:
    """Remove a group with its rules."""
    for rule in rules_of(call.transaction, call.region, ident):
        call.table("security-group-rule").delete(rule["SecurityGroupRuleId"])
    call.table("security-group").delete(ident)


def named_group(call: Call) -> Record:
    """Return the group that a call names, by id, or by name in the default VPC; to change."""
    default = ensure(call.cloud, call.transaction, call.region)
    ident, name = call.get("GroupId"), call.get("GroupName")
    if not ident and not name:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter groupName or groupId"
        )
    if not ident:
        ident = group_by_name(call, name, default.get("VpcId", ""))["GroupId"]
    return edit(call, SECURITY_GROUP, ident)


@operation("ec2", "DescribeSecurityGroupReferences")
def describe_security_group_references(call: Call) -> dict[str, Any]:
    """List who refers to groups from the other side of a peering: nobody, without peerings."""
    find_all(call, SECURITY_GROUP, call.get("GroupId"))
    return {"SecurityGroupReferenceSet": []}


@operation("ec2", "DescribeStaleSecurityGroups")
def describe_stale_security_groups(call: Call) -> dict[str, Any]:
    """List groups that refer to what is gone on the other side of a peering: none."""
    find(call, VPC, call.get("VpcId"))
    return {"StaleSecurityGroupSet": []}
