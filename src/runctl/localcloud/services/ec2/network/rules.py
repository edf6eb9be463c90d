"""The rules of security groups, one by one, and the permissions that a group tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runctl.localcloud.services.ec2.idents import GROUP_RULE, new_id
from runctl.localcloud.state.records import Record, Transaction
from runctl.localcloud.wire.errors import AwsError

SOURCES = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_MEMBERS = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId"}
_NAMES = {"IpRanges": "CidrIpv4", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId"}
_MOST = 60


def rules_in(group: Record, permissions: Iterable[Record], *, is_egress: bool) -> list[Record]:
    """Return what well-formed permissions say, one rule for each source; without ids."""
    return [
        _rule(group, permission, kind, source, is_egress=is_egress)
        for permission in permissions
        for kind in SOURCES
        for source in permission[kind]
    ]


def _rule(
    group: Record, permission: Record, kind: str, source: Record, *, is_egress: bool
) -> Record:
    rule: Record = {
        "GroupId": group["GroupId"],
        "GroupOwnerId": group["OwnerId"],
        "IsEgress": is_egress,
        "IpProtocol": permission["IpProtocol"],
        "FromPort": permission.get("FromPort", -1),
        "ToPort": permission.get("ToPort", -1),
        "Description": source.get("Description"),
        "Tags": [],
    }
    if kind == "UserIdGroupPairs":
        names = ("GroupId", "UserId")
        rule["ReferencedGroupInfo"] = {name: source[name] for name in names}
    else:
        rule[_NAMES[kind]] = source[_MEMBERS[kind]]
    return rule


def key_of(rule: Record) -> tuple[Any, ...]:
    """Return what makes two rules of a group the same."""
    names = ("IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6", "PrefixListId")
    referenced = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    return (*(rule.get(name) for name in names), referenced)


def rules_of(transaction: Transaction, region: str, group_id: str) -> list[Record]:
    """Return the rules of a group."""
    rules = transaction.table(GROUP_RULE.kind, region).values()
    return [rule for rule in rules if rule["GroupId"] == group_id]


def add_rules(transaction: Transaction, region: str, rules: list[Record]) -> list[Record]:
    """Add rules to the group that they name; one that is there already makes all of them fail."""
    group_id, account = rules[0]["GroupId"], rules[0]["GroupOwnerId"]
    before = rules_of(transaction, region, group_id)
    _check_new(rules, before)
    table = transaction.table(GROUP_RULE.kind, region)
    for rule in rules:
        ident = new_id(GROUP_RULE)
        arn = f"arn:aws:ec2:{region}:{account}:security-group-rule/{ident}"
        rule |= {"SecurityGroupRuleId": ident, "SecurityGroupRuleArn": arn}
        table.put(ident, rule)
    tell_rules(transaction, region, group_id)
    return rules


def _check_new(rules: list[Record], before: list[Record]) -> None:
    known = {key_of(rule) for rule in before}
    if len({key_of(rule) for rule in rules}) < len(rules):
        raise AwsError(
            "InvalidParameterValue", "The same permission must not appear multiple times"
        )
    for rule in rules:
        if key_of(rule) in known:
            words = f'the specified rule "{_in_words(rule)}" already exists'
            raise AwsError("InvalidPermission.Duplicate", words)
    for is_egress in (False, True):
        if sum(rule["IsEgress"] == is_egress for rule in [*before, *rules]) > _MOST:
            raise AwsError(
                "RulesPerSecurityGroupLimitExceeded",
                "The maximum number of rules per security group has been reached.",
            )


def _in_words(rule: Record) -> str:
    referenced = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    peers = (rule.get("CidrIpv4"), rule.get("CidrIpv6"), rule.get("PrefixListId"), referenced)
    peer = next(one for one in peers if one is not None)
    if rule["IpProtocol"] == "-1":
        return f"peer: {peer}, ALL, ALLOW"
    ports = f"from port: {rule['FromPort']}, to port: {rule['ToPort']}"
    return f"peer: {peer}, {rule['IpProtocol'].upper()}, {ports}, ALLOW"


def tell_rules(transaction: Transaction, region: str, group_id: str) -> None:
    """Let a group tell of its rules: those of the same ports stand together."""
    group = transaction.table("security-group", region).edit(group_id)
    rules = rules_of(transaction, region, group_id)
    for member, is_egress in (("IpPermissions", False), ("IpPermissionsEgress", True)):
        group[member] = _permissions([one for one in rules if one["IsEgress"] == is_egress])


def _permissions(rules: list[Record]) -> list[Record]:
    found: dict[tuple[Any, ...], Record] = {}
    for rule in rules:
        ports = (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        permission = found.setdefault(ports, _permission(rule))
        kind, source = _source(rule)
        permission[kind].append(source)
    return list(found.values())


def _permission(rule: Record) -> Record:
    permission: Record = {"IpProtocol": rule["IpProtocol"], **{kind: [] for kind in SOURCES}}
    if rule["IpProtocol"] in ("tcp", "udp", "icmp", "icmpv6"):
        permission |= {"FromPort": rule["FromPort"], "ToPort": rule["ToPort"]}
    return permission


def _source(rule: Record) -> tuple[str, Record]:
    words = {"Description": rule["Description"]}
    for kind, name in _NAMES.items():
        if rule.get(name) is not None:
            return kind, {_MEMBERS[kind]: rule[name], **words}
    return "UserIdGroupPairs", {**rule["ReferencedGroupInfo"], **words}
