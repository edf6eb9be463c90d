"""Security groups and their rules. They are kept, and enforced by nothing here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SECURITY_GROUP, VPC, edit, find, find_all, new_id
from runctl.localcloud.services.ec2.network.defaults import ensure
from runctl.localcloud.services.ec2.network.records import group_record
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_SOURCES = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_GROUP_FILTERS: Mapping[str, Filter] = {
    "description": path("Description"),
    "egress.ip-permission.cidr": path("IpPermissionsEgress", "IpRanges", "CidrIp"),
    "group-id": path("GroupId"),
    "group-name": path("GroupName"),
    "ip-permission.cidr": path("IpPermissions", "IpRanges", "CidrIp"),
    "ip-permission.from-port": path("IpPermissions", "FromPort"),
    "ip-permission.group-id": path("IpPermissions", "UserIdGroupPairs", "GroupId"),
    "ip-permission.protocol": path("IpPermissions", "IpProtocol"),
    "ip-permission.to-port": path("IpPermissions", "ToPort"),
    "owner-id": path("OwnerId"),
    "vpc-id": path("VpcId"),
}
_RULE_FILTERS: Mapping[str, Filter] = {
    "group-id": path("GroupId"),
    "security-group-rule-id": path("SecurityGroupRuleId"),
}


@operation("ec2", "DescribeSecurityGroups")
def describe_security_groups(call: Call) -> dict[str, Any]:
    """List security groups, by id or by name."""
    ensure(call.cloud, call.transaction, call.region)
    idents, names = call.get("GroupIds"), call.get("GroupNames")
    found = find_all(call, SECURITY_GROUP, idents) if idents else _all(call)
    for name in names or ():
        if all(group["GroupName"] != name for group in found):
            raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    found = [group for group in found if not names or group["GroupName"] in names]
    found = apply(_GROUP_FILTERS, call.get("Filters"), found)
    return page(call, "SecurityGroups", found, sort_by="GroupId")


def _all(call: Call) -> list[Record]:
    return call.table("security-group").values()


@operation("ec2", "DescribeSecurityGroupRules")
def describe_security_group_rules(call: Call) -> dict[str, Any]:
    """List rules, one by one."""
    ensure(call.cloud, call.transaction, call.region)
    rules = [rule for group in _all(call) for rule in rules_of(group)]
    wanted = call.get("SecurityGroupRuleIds")
    found = [one for one in rules if not wanted or one["SecurityGroupRuleId"] in wanted]
    found = apply(_RULE_FILTERS, call.get("Filters"), found)
    return page(call, "SecurityGroupRules", found, sort_by="SecurityGroupRuleId")


@operation("ec2", "CreateSecurityGroup")
def create_security_group(call: Call) -> dict[str, Any]:
    """Make a security group."""
    default = ensure(call.cloud, call.transaction, call.region)
    vpc = call.get("VpcId") or default.get("VpcId", "")
    find(call, VPC, vpc)
    name = call.get("GroupName")
    if name == "default" or any(
        (one["GroupName"], one["VpcId"]) == (name, vpc) for one in _all(call)
    ):
        raise AwsError(
            "InvalidGroup.Duplicate",
            f"The security group '{name}' already exists for VPC '{vpc}'",
        )
    ident, account = new_id(SECURITY_GROUP), call.cloud.account
    group = group_record(account, vpc, name, call.get("Description"), ident)
    group["Tags"] = tags_for(call, SECURITY_GROUP)
    group["SecurityGroupArn"] = f"arn:aws:ec2:{call.region}:{account}:security-group/{ident}"
    call.table("security-group").put(ident, group)
    return {
        "GroupId": ident,
        "Tags": group["Tags"],
        "SecurityGroupArn": group["SecurityGroupArn"],
    }


@operation("ec2", "DeleteSecurityGroup")
def delete_security_group(call: Call) -> dict[str, Any]:
    """Remove a group that nothing uses."""
    group = _group(call)
    ident = group["GroupId"]
    if group["GroupName"] == "default":
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{ident}" name: "default" cannot be deleted by a user',
        )
    interfaces = call.table("network-interface").values()
    is_used = any(ident in path("Groups", "GroupId")(one) for one in interfaces)
    pairs = path("IpPermissions", "UserIdGroupPairs", "GroupId")
    is_named = any(ident in list(pairs(one)) for one in _all(call) if one is not group)
    if is_used or is_named:
        raise AwsError("DependencyViolation", f"resource {ident} has a dependent object")
    call.table("security-group").delete(ident)
    return {"Return": True, "GroupId": ident}


def _group(call: Call) -> Record:
    ensure(call.cloud, call.transaction, call.region)
    if call.get("GroupId"):
        return edit(call, SECURITY_GROUP, call.get("GroupId"))
    name = call.get("GroupName")
    for group in _all(call):
        if group["GroupName"] == name:
            return edit(call, SECURITY_GROUP, group["GroupId"])
    if not name:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter groupName or groupId"
        )
    raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")


# ---------------------------------------------------------------- rules


@operation("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """Add rules; one that is there already makes all of them fail."""
    group, member = _group(call), _member(call)
    before = {_key(rule) for rule in rules_of(group)}
    wanted = [_checked(permission) for permission in _permissions(call)]
    group[member] = group[member] + wanted
    added = rules_of({**group, "IpPermissions": [], "IpPermissionsEgress": [], member: wanted})
    for rule in added:
        if _key(rule) in before:
            raise AwsError(
                "InvalidPermission.Duplicate",
                f'the specified rule "peer: {rule.get("CidrIpv4", "")}, '
                f"{rule['IpProtocol'].upper()}, from port: {rule.get('FromPort')}, "
                f'to port: {rule.get("ToPort")}, ALLOW" already exists',
            )
    return {"Return": True, "SecurityGroupRules": added}


@operation("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    """Remove rules, by what they say or by id."""
    group, member = _group(call), _member(call)
    rules = rules_of(
        {**group, "IpPermissions": [], "IpPermissionsEgress": [], member: group[member]}
    )
    wanted = call.get("SecurityGroupRuleIds")
    if wanted is None:
        given = [_checked(permission) for permission in _permissions(call)]
        asked = rules_of({**group, "IpPermissions": [], "IpPermissionsEgress": [], member: given})
        wanted = [rule["SecurityGroupRuleId"] for rule in asked]
    there = {rule["SecurityGroupRuleId"] for rule in rules}
    if not set(wanted) <= there:
        raise AwsError(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        )
    kept = [rule for rule in rules if rule["SecurityGroupRuleId"] not in wanted]
    group[member] = [_permission_of(rule) for rule in kept]
    return {"Return": True, "UnknownIpPermissions": []}


def _member(call: Call) -> str:
    return "IpPermissionsEgress" if call.operation.endswith("Egress") else "IpPermissions"


def _permissions(call: Call) -> list[Record]:
    """Return what is asked for, in the newer form or in the older one."""
    if call.get("IpPermissions"):
        return list(call.get("IpPermissions"))
    if call.get("IpProtocol") is None:
        raise AwsError("MissingParameter", "The request must contain the parameter IpPermissions")
    ranges = [{"CidrIp": call.get("CidrIp")}] if call.get("CidrIp") else []
    names = ("FromPort", "ToPort")
    ports = {name: call.get(name) for name in names if call.get(name) is not None}
    return [{"IpProtocol": call.get("IpProtocol"), "IpRanges": ranges, **ports}]


def _checked(permission: Record) -> Record:
    for name, member in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for source in permission.get(name) or ():
            _check_block(source.get(member, ""))
    protocol = permission.get("IpProtocol", "-1")
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in ("tcp", "udp") and (low is None or high is None or low > high):
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value for portRange. Must specify both from and to "
            f"ports with TCP/UDP: {low}-{high}",
        )
    return {**{name: [] for name in _SOURCES}, **permission}


def _check_block(text: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"CIDR block {text} is malformed") from error


def rules_of(group: Record) -> list[Record]:
    """Return the rules of a group one by one; each has an id made of what it says."""
    return [
        _rule(group, permission, is_egress=member == "IpPermissionsEgress", name=name, source=one)
        for member in ("IpPermissions", "IpPermissionsEgress")
        for permission in group[member]
        for name in _SOURCES
        for one in permission.get(name) or ()
    ]


def _rule(
    group: Record, permission: Record, *, is_egress: bool, name: str, source: Record
) -> Record:
    rule = {
        "GroupId": group["GroupId"],
        "GroupOwnerId": group["OwnerId"],
        "IsEgress": is_egress,
        "IpProtocol": permission["IpProtocol"],
        "FromPort": permission.get("FromPort", -1),
        "ToPort": permission.get("ToPort", -1),
        "Description": source.get("Description"),
        "Tags": [],
        "_Source": {name: source},
    }
    if name == "IpRanges":
        rule["CidrIpv4"] = source["CidrIp"]
    elif name == "Ipv6Ranges":
        rule["CidrIpv6"] = source["CidrIpv6"]
    elif name == "UserIdGroupPairs":
        rule["ReferencedGroupInfo"] = source
    else:
        rule["PrefixListId"] = source.get("PrefixListId")
    digest = hashlib.sha256(json.dumps(_key(rule)).encode()).hexdigest()
    return {**rule, "SecurityGroupRuleId": f"sgr-{digest[:17]}"}


def _key(rule: Record) -> tuple[Any, ...]:
    names = ("GroupId", "IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6")
    referenced = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    return (*(rule.get(name) for name in names), referenced, rule.get("PrefixListId"))


def _permission_of(rule: Record) -> Record:
    permission: Record = {name: [] for name in _SOURCES}
    permission["IpProtocol"] = rule["IpProtocol"]
    permission |= {name: [source] for name, source in rule["_Source"].items()}
    if rule["FromPort"] != -1 or rule["IpProtocol"] != "-1":
        permission |= {"FromPort": rule["FromPort"], "ToPort": rule["ToPort"]}
    return permission
