"""What EC2's operations need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runctl.localcloud.services.iam.launches import (
    Context,
    facts,
    launch_context,
    launches_of,
    passing,
    specifications_in,
    tags_for,
)
from runctl.localcloud.services.iam.needs import Need, listed, plain, tags_in, tags_on

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

# Images and snapshots may be of another account, so their ARNs name none.
_WITHOUT_ACCOUNT = frozenset({"image", "snapshot"})
_PARAMETERS = {
    "FleetId": "fleet",
    "FleetIds": "fleet",
    "GroupId": "security-group",
    "GroupIds": "security-group",
    "Groups": "security-group",
    "ImageId": "image",
    "InstanceId": "instance",
    "InstanceIds": "instance",
    "InternetGatewayId": "internet-gateway",
    "KeyName": "key-pair",
    "KeyPairId": "key-pair",
    "LaunchTemplateId": "launch-template",
    "NetworkInterfaceId": "network-interface",
    "RouteTableId": "route-table",
    "SnapshotId": "snapshot",
    "SourceImageId": "image",
    "SourceSnapshotId": "snapshot",
    "SpotInstanceRequestIds": "spot-instances-request",
    "SubnetId": "subnet",
    "VolumeId": "volume",
    "VpcId": "vpc",
}
_PREFIXES = {
    "ami": "image",
    "eni": "network-interface",
    "fleet": "fleet",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "sir": "spot-instances-request",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
_CREATED = {
    "CopyImage": ("image",),
    "CopySnapshot": ("snapshot",),
    "CreateFleet": ("fleet", "instance"),
    "CreateImage": ("image", "snapshot"),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSnapshot": ("snapshot",),
    "CreateSnapshots": ("snapshot",),
    "CreateSubnet": ("subnet",),
    "CreateVolume": ("volume",),
    "CreateVpc": ("vpc",),
    "RegisterImage": ("image",),
    "RequestSpotInstances": ("spot-instances-request",),
    "RunInstances": ("instance", "volume", "network-interface"),
}
_LAUNCHING = ("RunInstances", "RequestSpotInstances")


def needs_of_ec2(call: Call) -> Iterator[Need]:
    """Yield what an operation of EC2 needs; those that only read have no resources."""
    if call.operation.startswith(("Describe", "Get")):
        yield plain(call)
        return
    action = f"ec2:{call.operation}"
    launches = launches_of(call)
    found = list(_resources(call, launches))
    for arn, context in found:
        yield Need(action, arn, context)
    if not found:
        yield plain(call)
    for launch in launches:
        if call.operation == "CreateFleet":
            yield Need(
                "ec2:RunInstances", arn_of(call, "instance", "*"), launch_context(call, launch)
            )
        yield from passing(call, launch)
    yield from _tagging(call, launches)


def arn_of(call: Call, kind: str, ident: str) -> str:
    """Return the ARN of one of EC2's things."""
    account = "" if kind in _WITHOUT_ACCOUNT else call.cloud.account
    return f"arn:aws:ec2:{call.region}:{account}:{kind}/{ident}"


def _resources(call: Call, launches: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Context]]:
    for kind in _CREATED.get(call.operation, ()):
        yield arn_of(call, kind, "*"), _created_context(call, kind, launches[0])
    for place in _places(call, launches):
        for name, kind in _PARAMETERS.items():
            for ident in listed(place.get(name)):
                arn, context = _existing(call, kind, ident)
                yield arn, context | tags_in(tags_for(call.parameters, kind))
    for ident in listed(call.get("Resources")):
        kind = _PREFIXES.get(ident.partition("-")[0], "*")
        arn, context = _existing(call, kind, ident)
        yield arn, context | _named_tags(call)
    if call.operation == "DisassociateIamInstanceProfile":
        yield arn_of(call, "instance", "*"), {}


def _named_tags(call: Call) -> Context:
    tags = call.get("Tags", [])
    if call.operation == "DeleteTags":
        return tags_in([], [tag.get("Key", "") for tag in tags])
    return tags_in(tags)


def _places(call: Call, launches: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the structures in which ids stand."""
    yield from launches if call.operation in _LAUNCHING else [call.parameters]
    for launch in launches:
        yield {"LaunchTemplateId": (launch.get("LaunchTemplate") or {}).get("LaunchTemplateId")}
        if call.operation in _LAUNCHING:
            yield {"GroupIds": launch.get("SecurityGroupIds")}
            interfaces = launch.get("NetworkInterfaces") or ()
            yield from ({**one, "GroupIds": one.get("Groups")} for one in interfaces)
            has_place = bool(launch.get("SubnetId") or interfaces)
            yield {"SubnetId": None if has_place else "*"}
            yield {"GroupId": None if launch.get("SecurityGroupIds") or interfaces else "*"}


def _existing(call: Call, kind: str, ident: str) -> tuple[str, Context]:
    record = call.cloud.records.peek(kind, call.region, ident)
    return arn_of(call, kind, ident), facts(record or {}) | tags_on(record, "ec2:resourcetag")


# ---------------------------------------------------------------- what is made


def _created_context(call: Call, kind: str, launch: Mapping[str, Any]) -> Context:
    given = launch_context(call, launch) if kind == "instance" else facts(launch)
    given.pop("ec2:owner", None)
    return given | tags_in(tags_for(launch, kind))


def _tagging(call: Call, launches: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    """Tags on what is made need a right of their own."""
    for launch in launches:
        for kind in dict.fromkeys(one.get("ResourceType") for one in specifications_in(launch)):
            known = kind or (*_CREATED.get(call.operation, ()), "*")[0]
            context = tags_in(tags_for(launch, known)) | {"ec2:createaction": [call.operation]}
            yield Need("ec2:CreateTags", arn_of(call, known, "*"), context)
