"""Instance profiles as EC2 sees them: which one an instance has, and since when."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import apply, path
from runctl.localcloud.services.ec2.idents import INSTANCE, find
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

Specification = Mapping[str, Any]


def profile_for(call: Call, specification: Specification) -> Record:
    """Return the ``IamInstanceProfile`` of an instance, for a profile's name or ARN.

    A profile that does not exist, or is too new for EC2 to know it, is AWS's InvalidParameterValue.
    The instance's association with it is a part of what is returned.
    """
    profile = _known_profile(call, specification)
    if not profile["_Roles"]:
        raise AwsError(
            "InvalidParameterValue",
            f'IAM Instance Profile "{profile["Arn"]}" has no associated IAM Roles',
        )
    return {
        "Arn": profile["Arn"],
        "Id": profile["InstanceProfileId"],
        "_AssociationId": f"iip-assoc-{secrets.token_hex(9)[:17]}",
        "_Since": call.cloud.clock(),
    }


def profile_of_instance(cloud: Cloud, region: str, instance_id: str) -> Record | None:
    """Return the instance profile of an instance; None where there is none, or no more."""
    instance = cloud.records.peek("instance", region, instance_id)
    told = instance.get("IamInstanceProfile") if instance else None
    if not told:
        return None
    name = told["Arn"].rpartition("/")[2]
    profile = cloud.records.peek("instance-profile", "", name)
    # One that was deleted and made again under its name is another.
    is_same = profile is not None and profile["InstanceProfileId"] == told["Id"]
    return profile if is_same else None


def role_of_instance(cloud: Cloud, region: str, instance_id: str) -> Record | None:
    """Return the role that an instance has through its profile; None where it has none."""
    profile = profile_of_instance(cloud, region, instance_id)
    if profile is None or not profile["_Roles"]:
        return None
    return cloud.records.peek("role", "", profile["_Roles"][0])


def find_profile(cloud: Cloud, specification: Specification) -> Record | None:
    """Return the profile that a specification names, however new; None where there is none."""
    name = specification.get("Name") or str(specification.get("Arn", "")).rpartition("/")[2]
    return cloud.records.peek("instance-profile", "", name)


def _known_profile(call: Call, specification: Specification) -> Record:
    name, arn = specification.get("Name"), specification.get("Arn")
    if name and arn:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter 'iamInstanceProfile.name' may not be used in combination with "
            "'iamInstanceProfile.arn'",
        )
    wanted = arn.rpartition("/")[2] if arn else name
    profile = call.table("instance-profile", "").get(wanted) if wanted else None
    if profile is None or (arn and profile["Arn"] != arn) or _is_new(call, profile):
        raise _invalid(name, arn)
    return profile


def _is_new(call: Call, profile: Record) -> bool:
    return bool(call.cloud.clock() < profile["CreateDate"] + call.cloud.pace.profile_s)


def _invalid(name: str | None, arn: str | None) -> AwsError:
    member, word = ("arn", "ARN") if arn else ("name", "name")
    return AwsError(
        "InvalidParameterValue",
        f"Value ({arn or name or ''}) for parameter iamInstanceProfile.{member} is invalid. "
        f"Invalid IAM Instance Profile {word}",
    )


# ---------------------------------------------------------------- associations


@operation("ec2", "AssociateIamInstanceProfile")
def associate_iam_instance_profile(call: Call) -> dict[str, Any]:
    """Give a profile to an instance that has none."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    _check_alive(instance)
    if instance.get("IamInstanceProfile"):
        raise AwsError(
            "IncorrectState",
            f"There is an existing association for instance {instance['InstanceId']}",
        )
    return _set(call, instance["InstanceId"], call.get("IamInstanceProfile"))


@operation("ec2", "ReplaceIamInstanceProfileAssociation")
def replace_iam_instance_profile_association(call: Call) -> dict[str, Any]:
    """Give another profile to an instance, under a new association."""
    instance = _find_associated(call)
    _check_alive(instance)
    return _set(call, instance["InstanceId"], call.get("IamInstanceProfile"))


@operation("ec2", "DisassociateIamInstanceProfile")
def disassociate_iam_instance_profile(call: Call) -> dict[str, Any]:
    """Take the profile from an instance."""
    instance = call.table("instance").edit(_find_associated(call)["InstanceId"])
    answer = {**_association(instance), "State": "disassociating"}
    instance["IamInstanceProfile"] = None
    return {"IamInstanceProfileAssociation": answer}


@operation("ec2", "DescribeIamInstanceProfileAssociations")
def describe_iam_instance_profile_associations(call: Call) -> dict[str, Any]:
    """List which instance has which profile."""
    found = [_association(instance) for instance in _associated(call)]
    wanted = call.get("AssociationIds")
    if wanted:
        _check_known(wanted, [one["AssociationId"] for one in found])
        found = [one for one in found if one["AssociationId"] in wanted]
    known = {"instance-id": path("InstanceId"), "state": path("State")}
    found = apply(known, call.get("Filters"), found)
    return page(call, "IamInstanceProfileAssociations", found, sort_by="AssociationId")


def _set(call: Call, ident: str, specification: Specification) -> dict[str, Any]:
    profile = profile_for(call, specification)
    instance = call.table("instance").edit(ident)
    instance["IamInstanceProfile"] = profile
    answer = {**_association(instance), "State": "associating"}
    return {"IamInstanceProfileAssociation": answer}


def _check_alive(instance: Record) -> None:
    if instance["State"]["Name"] in ("shutting-down", "terminated"):
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance['InstanceId']}' is not in a valid state for this operation.",
        )


def _associated(call: Call) -> Iterator[Record]:
    for instance in call.table("instance").values():
        if instance.get("IamInstanceProfile") and instance["State"]["Name"] != "terminated":
            yield instance


def _find_associated(call: Call) -> Record:
    wanted = call.get("AssociationId")
    for instance in _associated(call):
        if instance["IamInstanceProfile"]["_AssociationId"] == wanted:
            return instance
    raise _unknown(wanted)


def _association(instance: Record) -> Record:
    profile = instance["IamInstanceProfile"]
    return {
        "AssociationId": profile["_AssociationId"],
        "InstanceId": instance["InstanceId"],
        "IamInstanceProfile": profile,
        "State": "associated",
        "Timestamp": profile["_Since"],
    }


def _check_known(wanted: list[str], known: list[str]) -> None:
    for ident in wanted:
        if ident not in known:
            raise _unknown(ident)


def _unknown(ident: str) -> AwsError:
    return AwsError(
        "InvalidAssociationID.NotFound", f"An invalid association-id of '{ident}' was given"
    )
