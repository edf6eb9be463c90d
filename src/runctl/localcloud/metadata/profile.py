"""The part of the metadata that tells of the instance profile, and gives its credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runctl.localcloud.metadata.documents import iso_time, write_document
from runctl.localcloud.services.ec2.profiles import profile_of_instance, role_of_instance
from runctl.localcloud.services.iam.sessions import instance_credentials, trusts_service
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_HELP = (
    "Please see documentation at https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/"
    "iam-roles-for-amazon-ec2.html#troubleshoot-iam-roles-for-amazon-ec2"
)


def profile_tree(cloud: Cloud, region: str, instance: Record) -> dict[str, Any] | None:
    """Return the folder ``iam``; None for an instance without a profile."""
    if not instance.get("IamInstanceProfile"):
        return None
    role = role_of_instance(cloud, region, instance["InstanceId"])
    answers = {}
    if role is not None:
        answers[role["RoleName"]] = partial(
            _credentials, cloud, region, instance["InstanceId"], role
        )
    return {
        "info": partial(_info, cloud, region, instance),
        "security-credentials": answers or None,
    }


def _info(cloud: Cloud, region: str, instance: Record) -> str:
    told = instance["IamInstanceProfile"]
    now = iso_time(cloud.clock())
    if profile_of_instance(cloud, region, instance["InstanceId"]) is None:
        words = f"Instance Profile {told['Arn']} cannot be found. {_HELP}"
        return _refuse("InstanceProfileNotFound", words, now)
    return write_document(
        {
            "Code": "Success",
            "LastUpdated": now,
            "InstanceProfileArn": told["Arn"],
            "InstanceProfileId": told["Id"],
        }
    )


def _credentials(cloud: Cloud, region: str, instance_id: str, role: Record) -> str:
    if not trusts_service(role, "ec2.amazonaws.com"):
        words = f"EC2 cannot assume the role {role['RoleName']}. {_HELP}"
        return _refuse("AssumeRoleUnauthorizedAccess", words, iso_time(cloud.clock()))
    key = instance_credentials(cloud, region, instance_id, role)
    return write_document(
        {
            "Code": "Success",
            "LastUpdated": iso_time(key["IssuedAt"]),
            "Type": "AWS-HMAC",
            "AccessKeyId": key["AccessKeyId"],
            "SecretAccessKey": key["SecretAccessKey"],
            "Token": key["Token"],
            "Expiration": iso_time(key["Expiration"]),
        }
    )


def _refuse(code: str, words: str, now: str) -> str:
    return write_document({"Code": code, "Message": words, "LastUpdated": now})
