"""What is to be launched, as far as policies can speak of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runctl.localcloud.services.ec2.launchtemplates import resolve
from runctl.localcloud.services.ec2.profiles import find_profile
from runctl.localcloud.services.iam.needs import Need, tags_on
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

Context = dict[str, Sequence[str]]
Launch = Mapping[str, Any]
"""Parameters in the form of RunInstances'."""

# Member of a record or of a request: condition key.
_FACTS = {
    "AvailabilityZone": "ec2:availabilityzone",
    "Encrypted": "ec2:encrypted",
    "ImageId": "ec2:imageid",
    "InstanceId": "ec2:instanceid",
    "InstanceType": "ec2:instancetype",
    "OwnerId": "ec2:owner",
    "RootDeviceType": "ec2:rootdevicetype",
    "Size": "ec2:volumesize",
    "VolumeId": "ec2:volumeid",
    "VolumeType": "ec2:volumetype",
}


def launches_of(call: Call) -> list[Launch]:
    """Return what a call launches; for a call that launches nothing, its own parameters."""
    if call.operation == "RequestSpotInstances":
        return [{**(call.get("LaunchSpecification") or {}), **_own_tags(call)}]
    if call.operation == "CreateFleet":
        configs = call.get("LaunchTemplateConfigs") or [{}]
        wanted = [one.get("LaunchTemplateSpecification") or {} for one in configs]
        return [
            {**_template(call, one), "LaunchTemplate": one, **_own_tags(call)} for one in wanted
        ]
    return [{**_template(call, call.get("LaunchTemplate")), **call.parameters}]


def _own_tags(call: Call) -> Launch:
    given = call.get("TagSpecifications")
    return {"TagSpecifications": given} if given else {}


def _template(call: Call, wanted: Any) -> Launch:
    """Return what a launch template says; nothing where it is unknown: the operation will tell."""
    if not isinstance(wanted, Mapping) or not wanted:
        return {}
    try:
        with call.cloud.records.transaction() as call.transaction:
            return resolve(call, wanted)
    except AwsError:
        return {}


def facts(given: Mapping[str, Any]) -> Context:
    """Return the keys that tell what something is."""
    found: Context = {
        key: [_text(given[name])] for name, key in _FACTS.items() if given.get(name) is not None
    }
    zone = (given.get("Placement") or {}).get("AvailabilityZone")
    if zone:
        found["ec2:availabilityzone"] = [zone]
    profile = given.get("IamInstanceProfile") or {}
    if profile.get("Arn"):
        found["ec2:instanceprofile"] = [profile["Arn"]]
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def launch_context(call: Call, launch: Launch) -> Context:
    """Return the keys that tell of an instance that is to be."""
    options = launch.get("MetadataOptions") or {}
    profile = find_profile(call.cloud, launch.get("IamInstanceProfile") or {})
    is_spot = bool(launch.get("InstanceMarketOptions"))
    context = facts({**launch, "ImageId": None})
    context["ec2:instancemarkettype"] = ["spot" if is_spot else "on-demand"]
    context["ec2:metadatahttptokens"] = [options.get("HttpTokens", "optional")]
    return context | ({"ec2:instanceprofile": [profile["Arn"]]} if profile else {})


def specifications_in(launch: Launch) -> list[Mapping[str, Any]]:
    """Return the tag specifications of a launch, those of its template included."""
    return [*(launch.get("_TagSpecifications") or ()), *(launch.get("TagSpecifications") or ())]


def tags_for(launch: Launch, kind: str) -> list[Mapping[str, Any]]:
    """Return the tags that a launch gives to things of a kind."""
    return [
        tag
        for one in specifications_in(launch)
        if one.get("ResourceType", kind) == kind
        for tag in one.get("Tags", [])
    ]


def passing(call: Call, launch: Launch) -> Iterator[Need]:
    """Giving a role to an instance needs the right to pass it."""
    profile = find_profile(call.cloud, launch.get("IamInstanceProfile") or {})
    for name in profile["_Roles"] if profile else ():
        role = call.cloud.records.peek("role", "", name)
        if role is not None:
            passed = {"iam:passedtoservice": ["ec2.amazonaws.com"]}
            yield Need("iam:PassRole", role["Arn"], passed | tags_on(role, "iam:resourcetag"))
