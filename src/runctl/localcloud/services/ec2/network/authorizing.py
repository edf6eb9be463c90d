"""Rules of security groups: added, described, changed, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import GROUP_RULE, edit, find_all, not_found
from runctl.localcloud.services.ec2.network.defaults import ensure
from runctl.localcloud.services.ec2.network.groups import named_group
from runctl.localcloud.services.ec2.network.permissions import (
    check_description,
    permissions_in,
    well_formed,
)
from runctl.localcloud.services.ec2.network.rules import (
    add_rules,
    key_of,
    rules_in,
    rules_of,
    tell_rules,
)
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "group-id": path("GroupId"),
    "security-group-rule-id": path("SecurityGroupRuleId"),
}
_SOURCES = {
    "CidrIpv4": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "PrefixListId": ("PrefixListIds", "PrefixListId"),
    "ReferencedGroupId": ("UserIdGroupPairs", "GroupId"),
}


@operation("ec2", "DescribeSecurityGroupRules")
def describe_security_group_rules(call: Call) -> dict[str, Any]:
    """List rules, one by one."""
    ensure(call.cloud, call.transaction, call.region)
    wanted = call.get("SecurityGroupRuleIds")
    found = find_all(call, GROUP_RULE, wanted) if wanted else call.table(GROUP_RULE.kind).values()
    found = apply(_FILTERS, call.get("Filters"), found)
    return page(call, "SecurityGroupRules", found, sort_by="SecurityGroupRuleId")


@operation("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """Add rules, all or none."""
    group = named_group(call)
    rules = rules_in(group, permissions_in(call, group), is_egress=_is_egress(call))
    tags = tags_for(call, GROUP_RULE)
    for rule in rules:
        rule["Tags"] = tags
    return {"Return": True, "SecurityGroupRules": add_rules(call.transaction, call.region, rules)}


@operation("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    """Remove rules, by id or by what they say."""
    group = named_group(call)
    unknown: list[Record] = []
    if call.get("SecurityGroupRuleIds"):
        gone = _by_id(call, group, call.get("SecurityGroupRuleIds"))
    else:
        gone, unknown = _by_permission(call, group)
    for rule in gone:
        call.table(GROUP_RULE.kind).delete(rule["SecurityGroupRuleId"])
    tell_rules(call.transaction, call.region, group["GroupId"])
    return {
        "Return": True,
        "UnknownIpPermissions": unknown,
        "RevokedSecurityGroupRules": [_revoked(rule) for rule in gone],
    }


def _is_egress(call: Call) -> bool:
    return call.operation.endswith("Egress")


def _by_id(call: Call, group: Record, idents: Iterable[str]) -> list[Record]:
    found = find_all(call, GROUP_RULE, idents)
    for rule in found:
        whose = (group["GroupId"], _is_egress(call))
        if (rule["GroupId"], rule["IsEgress"]) != whose:
            raise not_found(GROUP_RULE, [rule["SecurityGroupRuleId"]])
    return found


def _by_permission(call: Call, group: Record) -> tuple[list[Record], list[Record]]:
    """Return the rules that are meant, and the permissions that mean none.

    Those are an error only outside of the default VPC.
    """
    own = {key_of(rule): rule for rule in rules_of(call.transaction, call.region, group["GroupId"])}
    is_default = (call.table("vpc").get(group["VpcId"]) or {}).get("IsDefault")
    gone: list[Record] = []
    unknown: list[Record] = []
    for permission in permissions_in(call, group):
        keys = [key_of(one) for one in rules_in(group, [permission], is_egress=_is_egress(call))]
        gone += [own[key] for key in keys if key in own]
        if any(key not in own for key in keys):
            unknown.append(permission)
    if unknown and not is_default:
        raise AwsError(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        )
    return gone, unknown


def _revoked(rule: Record) -> Record:
    referenced = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    return {**rule, "ReferencedGroupId": referenced}


# ---------------------------------------------------------------- changing what is there


@operation("ec2", "ModifySecurityGroupRules")
def modify_security_group_rules(call: Call) -> dict[str, Any]:
    """Let rules say something else; they keep their ids and tags."""
    group = named_group(call)
    for update in call.get("SecurityGroupRules"):
        rule = _own_rule(call, group, update.get("SecurityGroupRuleId", ""))
        wanted = update.get("SecurityGroupRule") or {}
        permission = well_formed(call, group, _permission_in(wanted))
        [said] = rules_in(group, [permission], is_egress=rule["IsEgress"])
        kept = ("SecurityGroupRuleId", "SecurityGroupRuleArn", "Tags")
        call.table(GROUP_RULE.kind).put(
            rule["SecurityGroupRuleId"], {**said, **{name: rule[name] for name in kept}}
        )
    tell_rules(call.transaction, call.region, group["GroupId"])
    return {"Return": True}


def _own_rule(call: Call, group: Record, ident: str) -> Record:
    rule = edit(call, GROUP_RULE, ident)
    if rule["GroupId"] != group["GroupId"]:
        raise not_found(GROUP_RULE, [ident])
    return rule


def _permission_in(wanted: Record) -> Record:
    names = ("IpProtocol", "FromPort", "ToPort")
    permission = {name: wanted[name] for name in names if name in wanted}
    given = [name for name in _SOURCES if wanted.get(name)]
    if len(given) != 1:
        raise AwsError(
            "InvalidParameterValue", "A security group rule must have exactly one source."
        )
    kind, member = _SOURCES[given[0]]
    source = {member: wanted[given[0]], "Description": wanted.get("Description")}
    return {**permission, kind: [source]}


@operation(
    "ec2", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"
)
def update_security_group_rule_descriptions(call: Call) -> dict[str, Any]:
    """Say something else of rules; without words, nothing."""
    group = named_group(call)
    for ident, text in _descriptions(call, group):
        check_description(text)
        _own_rule(call, group, ident)["Description"] = text
    tell_rules(call.transaction, call.region, group["GroupId"])
    return {"Return": True}


def _descriptions(call: Call, group: Record) -> list[tuple[str, str | None]]:
    given = call.get("SecurityGroupRuleDescriptions")
    if given:
        return [(one["SecurityGroupRuleId"], one.get("Description")) for one in given]
    own = {key_of(rule): rule for rule in rules_of(call.transaction, call.region, group["GroupId"])}
    asked = rules_in(group, permissions_in(call, group), is_egress=_is_egress(call))
    if any(key_of(one) not in own for one in asked):
        raise AwsError(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        )
    return [(own[key_of(one)]["SecurityGroupRuleId"], one["Description"]) for one in asked]
