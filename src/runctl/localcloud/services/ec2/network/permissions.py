"""What a call says of rules, in all of its forms, made well-formed or refused."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.idents import SECURITY_GROUP, find
from runctl.localcloud.services.ec2.network.rules import SOURCES
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
_WORDS = ("tcp", "udp", "icmp", "icmpv6")
_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def permissions_in(call: Call, group: Record) -> list[Record]:
    """Return the permissions that a call gives or takes: the newer form, or the older ones."""
    return [well_formed(call, group, permission) for permission in _given(call)]


def _given(call: Call) -> list[Record]:
    if call.get("IpPermissions"):
        return list(call.get("IpPermissions"))
    source = _old_source(call)
    if call.get("IpProtocol") is None and not source:
        raise AwsError("MissingParameter", "The request must contain the parameter ipPermissions")
    if call.get("IpProtocol") is None:  # a group may be let in as a whole
        ports = {"FromPort": 0, "ToPort": 65535}
        pieces: list[Record] = [{"IpProtocol": one, **ports} for one in ("tcp", "udp")]
        return [{**one, **source} for one in [*pieces, {"IpProtocol": "icmp"}]]
    names = ("IpProtocol", "FromPort", "ToPort")
    return [{name: call.get(name) for name in names if call.get(name) is not None} | source]


def _old_source(call: Call) -> Record:
    if call.get("CidrIp"):
        return {"IpRanges": [{"CidrIp": call.get("CidrIp")}]}
    if call.get("SourceSecurityGroupName"):
        return {"UserIdGroupPairs": [{"GroupName": call.get("SourceSecurityGroupName")}]}
    return {}


def well_formed(call: Call, group: Record, permission: Record) -> Record:
    """Return a permission in the form that AWS tells it in; raise for what it does not take."""
    protocol = _protocol(str(permission.get("IpProtocol", "-1")))
    made: Record = {"IpProtocol": protocol, **_ports(protocol, permission)}
    for kind in SOURCES:
        given = permission.get(kind) or ()
        made[kind] = [_source(call, group, kind, source) for source in given]
    if not any(made[kind] for kind in SOURCES):
        raise AwsError(
            "InvalidPermission.Malformed",
            "The rule must name a CIDR range, a prefix list or a security group.",
        )
    return made


def _protocol(text: str) -> str:
    word = _NUMBERS.get(text.lower(), text.lower())
    is_number = word.isdigit() and int(word) <= 255
    if word != "-1" and word not in _WORDS and not is_number:
        raise AwsError(
            "InvalidParameterValue", f"Invalid value '{text}' for IP protocol. Unknown protocol."
        )
    return word


def _ports(protocol: str, permission: Record) -> dict[str, int]:
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in ("tcp", "udp"):
        _check_ports(low, high)
    elif protocol in ("icmp", "icmpv6"):
        low, high = (-1 if one is None else one for one in (low, high))
    else:
        return {}
    return {"FromPort": low or 0, "ToPort": high or 0}


def _check_ports(low: int | None, high: int | None) -> None:
    if low is None or high is None:
        raise AwsError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )
    for port in (low, high):
        if not 0 <= port <= 65535:
            raise AwsError("InvalidParameterValue", f"TCP/UDP port ({port}) out of range")
    if low > high:
        raise AwsError("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")


def _source(call: Call, group: Record, kind: str, source: Record) -> Record:
    made = dict(source)
    if kind == "IpRanges":
        made["CidrIp"] = _block(IPv4Network, source.get("CidrIp", ""))
    elif kind == "Ipv6Ranges":
        made["CidrIpv6"] = _block(IPv6Network, source.get("CidrIpv6", ""))
    elif kind == "UserIdGroupPairs":
        made |= _referenced(call, group, source)
    check_description(source.get("Description"))
    return made


def _block(form: type[IPv4Network | IPv6Network], text: str) -> str:
    """Return a range as AWS tells it: without the bits of a host."""
    try:
        return str(form(text, strict=False))
    except ValueError as error:
        words = f"CIDR block {text} is malformed"
        raise AwsError("InvalidParameterValue", words) from error


def _referenced(call: Call, group: Record, source: Record) -> dict[str, Any]:
    ident = source.get("GroupId")
    if not ident:
        found = group_by_name(call, source.get("GroupName", ""), group["VpcId"])
        ident = found["GroupId"]
    find(call, SECURITY_GROUP, ident)
    return {"GroupId": ident, "UserId": source.get("UserId") or call.cloud.account}


def group_by_name(call: Call, name: str, vpc: str) -> Record:
    """Return the group of a VPC that has a name."""
    for group in call.table("security-group").values():
        if (group["GroupName"], group["VpcId"]) == (name, vpc):
            return group
    known = call.table("vpc").get(vpc) or {}
    word = "default VPC" if known.get("IsDefault") else "VPC"
    raise AwsError(
        "InvalidGroup.NotFound", f"The security group '{name}' does not exist in {word} '{vpc}'"
    )


def check_description(text: str | None) -> None:
    """Raise for what cannot be said of a rule."""
    if text is not None and not _DESCRIPTION.fullmatch(text):
        raise AwsError(
            "InvalidParameterValue",
            "Invalid rule description. Valid descriptions are strings less than 256 characters "
            "from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )
