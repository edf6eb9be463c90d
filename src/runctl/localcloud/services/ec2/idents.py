"""Ids of EC2's things: making them, and what AWS says of bad ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple
from uuid import uuid4

from runctl.localcloud.api import Call
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


class Noun(NamedTuple):
    """A kind of thing: how its records and ids are called, and its errors."""

    kind: str
    prefix: str
    error: str
    """The stem of its error codes: ``InvalidVolume`` of ``InvalidVolume.NotFound``."""
    words: str
    """As in "The volume 'vol-1' does not exist."."""


INSTANCE = Noun("instance", "i", "InvalidInstanceID", "instance ID")
VOLUME = Noun("volume", "vol", "InvalidVolume", "volume")
SNAPSHOT = Noun("snapshot", "snap", "InvalidSnapshot", "snapshot")
IMAGE = Noun("image", "ami", "InvalidAMIID", "image id")
SUBNET = Noun("subnet", "subnet", "InvalidSubnetID", "subnet ID")
VPC = Noun("vpc", "vpc", "InvalidVpcID", "vpc ID")
SECURITY_GROUP = Noun("security-group", "sg", "InvalidGroup", "security group")
KEY_PAIR = Noun("key-pair", "key", "InvalidKeyPair", "key pair")
SPOT_REQUEST = Noun(
    "spot-instances-request", "sir", "InvalidSpotInstanceRequestID", "spot instance request ID"
)
FLEET = Noun("fleet", "fleet", "InvalidFleetId", "fleet ID")
LAUNCH_TEMPLATE = Noun("launch-template", "lt", "InvalidLaunchTemplateId", "launch template ID")
ROUTE_TABLE = Noun("route-table", "rtb", "InvalidRouteTableID", "routeTable ID")
GATEWAY = Noun("internet-gateway", "igw", "InvalidInternetGatewayID", "internetGateway ID")
INTERFACE = Noun("network-interface", "eni", "InvalidNetworkInterfaceID", "networkInterface ID")
NETWORK_ACL = Noun("network-acl", "acl", "InvalidNetworkAclID", "networkAcl ID")
GROUP_RULE = Noun(
    "security-group-rule", "sgr", "InvalidSecurityGroupRuleId", "security group rule ID"
)
NOUNS = (
    INSTANCE, VOLUME, SNAPSHOT, IMAGE, SUBNET, VPC, SECURITY_GROUP, KEY_PAIR, SPOT_REQUEST,
    FLEET, LAUNCH_TEMPLATE, ROUTE_TABLE, GATEWAY, INTERFACE, NETWORK_ACL, GROUP_RULE,
)  # fmt: skip


def new_id(noun: Noun) -> str:
    """Make an id: 17 hexadecimal digits, as AWS makes them."""
    digits = secrets.token_hex(9)[:17]
    if noun is FLEET:
        return f"fleet-{uuid4()}"
    return f"{noun.prefix}-{digits}"


def find(call: Call, noun: Noun, ident: str) -> Record:
    """Return a record to read; raise AWS's own error for an id that is ill-formed or unknown."""
    check_form(noun, ident)
    record = call.table(noun.kind).get(ident)
    if record is None:
        raise not_found(noun, [ident])
    return record


def find_all(call: Call, noun: Noun, idents: Iterable[str]) -> list[Record]:
    """Return records to read, each once; the error names every unknown id, as AWS's does."""
    wanted = list(dict.fromkeys(idents))
    for ident in wanted:
        check_form(noun, ident)
    table = call.table(noun.kind)
    missing = [ident for ident in wanted if ident not in table]
    if missing:
        raise not_found(noun, missing)
    return [record for ident in wanted if (record := table.get(ident)) is not None]


def edit(call: Call, noun: Noun, ident: str) -> Record:
    """Return a record to change; raise AWS's own error for a bad id."""
    find(call, noun, ident)
    return call.table(noun.kind).edit(ident)


def check_form(noun: Noun, ident: str) -> None:
    """Raise for what cannot be an id of this kind."""
    if noun is FLEET or re.fullmatch(rf"{noun.prefix}-[0-9a-f]{{8}}([0-9a-f]{{9}})?", ident):
        return
    if noun in (INSTANCE, IMAGE, SECURITY_GROUP, GROUP_RULE):
        words = "" if ident.startswith(f"{noun.prefix}-") else f' (expecting "{noun.prefix}-...")'
        raise AwsError(f"{_stem(noun)}.Malformed", f'Invalid id: "{ident}"{words}')
    raise AwsError(
        "InvalidParameterValue",
        f"Value ({ident}) for parameter {_parameter(noun)} is invalid. "
        f"Expected: '{noun.prefix}-...'.",
    )


def not_found(noun: Noun, idents: list[str]) -> AwsError:
    """Make the error that names ids which do not exist."""
    if len(idents) == 1:
        message = f"The {noun.words} '{idents[0]}' does not exist"
    else:
        message = f"The {noun.words}s '{', '.join(idents)}' do not exist"
    stop = "." if noun in (VOLUME, SNAPSHOT) else ""
    return AwsError(f"{noun.error}.NotFound", message + stop)


def _stem(noun: Noun) -> str:
    return "InvalidGroupId" if noun is SECURITY_GROUP else noun.error


def _parameter(noun: Noun) -> str:
    words = noun.kind.split("-")
    return words[0] + "".join(word.capitalize() for word in words[1:]) + "Id"
