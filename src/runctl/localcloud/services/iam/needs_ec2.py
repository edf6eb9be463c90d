"""What EC2's operations need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runctl.localcloud.services.ec2.profiles import find_profile
from runctl.localcloud.services.iam.needs import Need, listed, plain, tags_in, tags_on
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

Context = dict[str, Sequence[str]]

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
# Record member: condition key.
_FACTS = {
    "InstanceType": "ec2:instancetype",
    "InstanceId": "ec2:instanceid",
    "VolumeType": "ec2:volumetype",
    "VolumeId": "ec2:volumeid",
    "Size": "ec2:volumesize",
    "Encrypted": "ec2:encrypted",
    "AvailabilityZone": "ec2:availabilityzone",
    "OwnerId": "ec2:owner",
    "RootDeviceType": "ec2:rootdevicetype",
    "ImageId": "ec2:imageid",
}


def needs_of_ec2(call: Call) -> Iterator[Need]:
    """Yield what an operation of EC2 needs; those that only read have no resources."""
    if call.operation.startswith(("Describe", "Get")):
        yield plain(call)
        return
    action = f"ec2:{call.operation}"
    found = list(_resources(call))
    for arn, context in found:
        yield Need(action, arn, context)
    if not found:
        yield plain(call)
    if call.operation == "CreateFleet":
        yield Need(
            "ec2:RunInstances", arn_of(call, "instance", "*"), _created_context(call, "instance")
        )
    yield from _tagging(call)
    yield from _passing(call)


def arn_of(call: Call, kind: str, ident: str) -> str:
    """Return the ARN of one of EC2's things."""
    account = "" if kind in _WITHOUT_ACCOUNT else call.cloud.account
    return f"arn:aws:ec2:{call.region}:{account}:{kind}/{ident}"


def _resources(call: Call) -> Iterator[tuple[str, Context]]:
    for kind in _CREATED.get(call.operation, ()):
        yield arn_of(call, kind, "*"), _created_context(call, kind)
    for place in _places(call):
        for name, kind in _PARAMETERS.items():
            for ident in listed(place.get(name)):
                arn, context = _existing(call, kind, ident)
                yield arn, context | tags_in(_tags_for(call, kind))
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


def _places(call: Call) -> Iterator[Mapping[str, Any]]:
    """Yield the structures in which ids stand."""
    yield call.parameters
    specification = call.get("LaunchSpecification") or {}
    yield specification
    for place in (call.parameters, specification):
        yield {"GroupIds": place.get("SecurityGroupIds")}
        template = place.get("LaunchTemplate") or {}
        yield {"LaunchTemplateId": template.get("LaunchTemplateId")}
        yield from place.get("NetworkInterfaces") or ()
    if call.operation in _LAUNCHING and not (call.get("SubnetId") or specification.get("SubnetId")):
        yield {"SubnetId": "*"}
    if call.operation in _LAUNCHING and not (
        call.get("SecurityGroupIds") or specification.get("SecurityGroupIds")
    ):
        yield {"GroupId": "*"}


def _existing(call: Call, kind: str, ident: str) -> tuple[str, Context]:
    record = call.cloud.records.peek(kind, call.region, ident)
    return arn_of(call, kind, ident), _facts(record or {}) | tags_on(record, "ec2:resourcetag")


def _facts(record: Record) -> Context:
    found: Context = {
        key: [_text(record[name])] for name, key in _FACTS.items() if record.get(name) is not None
    }
    zone = record.get("Placement", {}).get("AvailabilityZone")
    if zone:
        found["ec2:availabilityzone"] = [zone]
    profile = record.get("IamInstanceProfile")
    if profile and profile.get("Arn"):
        found["ec2:instanceprofile"] = [profile["Arn"]]
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- what is made


def _created_context(call: Call, kind: str) -> Context:
    given = call.get("LaunchSpecification") or call.parameters
    context = _facts({**given, "OwnerId": None, "ImageId": None})
    if kind == "instance":
        is_spot = bool(call.get("InstanceMarketOptions"))
        metadata = given.get("MetadataOptions", {})
        context["ec2:instancemarkettype"] = ["spot" if is_spot else "on-demand"]
        context["ec2:metadatahttptokens"] = [metadata.get("HttpTokens", "optional")]
        profile = _profile(call)
        context |= {"ec2:instanceprofile": [profile["Arn"]]} if profile else {}
    return context | tags_in(_tags_for(call, kind))


def _tags_for(call: Call, kind: str) -> list[Mapping[str, Any]]:
    return [
        tag
        for one in call.get("TagSpecifications", [])
        if one.get("ResourceType", kind) == kind
        for tag in one.get("Tags", [])
    ]


def _tagging(call: Call) -> Iterator[Need]:
    """Tags on what is made need a right of their own."""
    kinds = dict.fromkeys(one.get("ResourceType") for one in call.get("TagSpecifications", []))
    for kind in kinds:
        known = kind or (*_CREATED.get(call.operation, ()), "*")[0]
        context = tags_in(_tags_for(call, known)) | {"ec2:createaction": [call.operation]}
        yield Need("ec2:CreateTags", arn_of(call, known, "*"), context)


def _passing(call: Call) -> Iterator[Need]:
    """Giving a role to an instance needs the right to pass it."""
    profile = _profile(call)
    for name in profile["_Roles"] if profile else ():
        role = call.cloud.records.peek("role", "", name)
        if role is not None:
            passed = {"iam:passedtoservice": ["ec2.amazonaws.com"]}
            yield Need("iam:PassRole", role["Arn"], passed | tags_on(role, "iam:resourcetag"))


def _profile(call: Call) -> Record | None:
    given = call.get("LaunchSpecification") or call.parameters
    return find_profile(call.cloud, given.get("IamInstanceProfile") or {})
