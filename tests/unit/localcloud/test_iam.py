"""IAM through botocore's client: roles, policies, profiles, users."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal
from tests.unit.localcloud.test_imds import EC2_TRUST

SSM_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
ALLOW_ALL: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
TEXT = json.dumps(ALLOW_ALL)


def refusal(call: Any, **parameters: Any) -> tuple[str, int, str]:
    """Return code, status and message of a call that is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    response: Any = error.value.response
    status = int(response["ResponseMetadata"]["HTTPStatusCode"])
    return response["Error"]["Code"], status, response["Error"]["Message"]


@pytest.fixture
def iam(rehearsal: Rehearsal) -> Any:
    client = rehearsal.client("iam")
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST, Path="/ml/")
    return client


# ---------------------------------------------------------------- roles


def test_role_is_read_as_it_was_made(iam: Any) -> None:
    role = iam.get_role(RoleName="worker")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ml/worker"
    assert role["RoleId"].startswith("AROA")
    assert len(role["RoleId"]) == 21
    assert role["AssumeRolePolicyDocument"] == json.loads(EC2_TRUST)
    assert role["MaxSessionDuration"] == 3600


def test_role_names_are_taken_in_any_case(iam: Any) -> None:
    code, status, words = refusal(
        iam.create_role, RoleName="WORKER", AssumeRolePolicyDocument=EC2_TRUST
    )
    assert (code, status) == ("EntityAlreadyExists", 409)
    assert words == "Role with name WORKER already exists."


def test_unknown_role(iam: Any) -> None:
    assert refusal(iam.get_role, RoleName="nobody") == (
        "NoSuchEntity",
        404,
        "The role with name nobody cannot be found.",
    )


def test_ill_formed_role(iam: Any) -> None:
    bad_name = refusal(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=EC2_TRUST)
    assert bad_name[0] == "ValidationError"
    bad_trust = refusal(iam.create_role, RoleName="a", AssumeRolePolicyDocument=TEXT)
    assert bad_trust[0] == "MalformedPolicyDocument"
    bad_length = refusal(iam.update_role, RoleName="worker", MaxSessionDuration=50000)
    assert bad_length[0] == "ValidationError"


def test_boundary_of_a_role(iam: Any) -> None:
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=SSM_CORE)
    bounded = iam.get_role(RoleName="worker")["Role"]["PermissionsBoundary"]
    assert bounded == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": SSM_CORE}
    iam.delete_role_permissions_boundary(RoleName="worker")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="worker")["Role"]
    unknown = SSM_CORE.replace("Core", "Nonsense")
    put = iam.put_role_permissions_boundary
    assert refusal(put, RoleName="worker", PermissionsBoundary=unknown)[0] == "NoSuchEntity"


def test_roles_are_updated(iam: Any) -> None:
    iam.update_role(RoleName="worker", Description="trains", MaxSessionDuration=7200)
    other = EC2_TRUST.replace("ec2.", "ssm.")
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=other)
    role = iam.get_role(RoleName="worker")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("trains", 7200)
    assert role["AssumeRolePolicyDocument"] == json.loads(other)


def test_role_tags(iam: Any) -> None:
    iam.tag_role(RoleName="worker", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.tag_role(RoleName="worker", Tags=[{"Key": "A", "Value": "3"}])
    iam.untag_role(RoleName="worker", TagKeys=["b"])
    assert iam.list_role_tags(RoleName="worker")["Tags"] == [{"Key": "A", "Value": "3"}]
    assert iam.get_role(RoleName="worker")["Role"]["Tags"] == [{"Key": "A", "Value": "3"}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refusal(iam.tag_role, RoleName="worker", Tags=twice)[0] == "InvalidInput"


def test_roles_in_pages(iam: Any) -> None:
    for number in range(4):
        iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=EC2_TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    names = [[role["RoleName"] for role in page["Roles"]] for page in pages]
    assert names == [["r0", "r1"], ["r2", "r3"], ["worker"]]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert refusal(iam.list_roles, Marker="nonsense")[0] == "ValidationError"
    found = iam.list_roles(PathPrefix="/ml/")["Roles"]
    assert [role["RoleName"] for role in found] == ["worker"]


def test_role_in_use_is_not_deleted(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="worker")
    iam.attach_role_policy(RoleName="worker", PolicyArn=SSM_CORE)
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=TEXT)
    undoing = [
        ("remove_role_from_instance_profile", {"InstanceProfileName": "p"}),
        ("detach_role_policy", {"PolicyArn": SSM_CORE}),
        ("delete_role_policy", {"PolicyName": "own"}),
    ]
    words = []
    for name, parameters in undoing:
        code, status, message = refusal(iam.delete_role, RoleName="worker")
        assert (code, status) == ("DeleteConflict", 409)
        words.append(message)
        getattr(iam, name)(RoleName="worker", **parameters)
    assert len(set(words)) == 3
    iam.delete_role(RoleName="worker")
    assert refusal(iam.get_role, RoleName="worker")[0] == "NoSuchEntity"


def test_roles_survive_the_cloud(rehearsal: Rehearsal, iam: Any) -> None:
    iam.attach_role_policy(RoleName="worker", PolicyArn=SSM_CORE)
    rehearsal.restart()
    attached = rehearsal.client("iam").list_attached_role_policies(RoleName="worker")
    assert attached["AttachedPolicies"] == [
        {"PolicyArn": SSM_CORE, "PolicyName": "AmazonSSMManagedInstanceCore"}
    ]


def test_service_linked_role(iam: Any) -> None:
    role = iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForEC2Spot"
    assert role["Path"] == "/aws-service-role/spot.amazonaws.com/"
    again = refusal(iam.create_service_linked_role, AWSServiceName="spot.amazonaws.com")
    assert again[0] == "InvalidInput"
    assert "has been taken in this account" in again[2]
    name = "AWSServiceRoleForEC2Spot"
    assert refusal(iam.delete_role, RoleName=name)[0] == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"]
    assert status == "SUCCEEDED"
    assert refusal(iam.get_role, RoleName=name)[0] == "NoSuchEntity"


# ---------------------------------------------------------------- policies


def test_policy_within_a_role(iam: Any) -> None:
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=TEXT)
    found = iam.get_role_policy(RoleName="worker", PolicyName="own")
    assert found["PolicyDocument"] == ALLOW_ALL
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["own"]
    iam.delete_role_policy(RoleName="worker", PolicyName="own")
    gone = refusal(iam.get_role_policy, RoleName="worker", PolicyName="own")
    assert gone == ("NoSuchEntity", 404, "The role policy with name own cannot be found.")


def test_bad_policies_within_a_role(iam: Any) -> None:
    role = {"RoleName": "worker", "PolicyName": "own"}
    assert refusal(iam.put_role_policy, **role, PolicyDocument="{")[0] == "MalformedPolicyDocument"
    long = json.dumps({**ALLOW_ALL, "Id": "x" * 10240})
    assert refusal(iam.put_role_policy, **role, PolicyDocument=long)[:2] == ("LimitExceeded", 409)
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == []


def test_managed_policy_and_its_versions(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="store", PolicyDocument=TEXT)["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/store"
    other = TEXT.replace("s3:*", "s3:Get*")
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=other, SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2"
    assert made["PolicyVersion"]["IsDefaultVersion"] is True
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    first = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert (first["Document"], first["IsDefaultVersion"]) == (ALLOW_ALL, False)
    in_force = refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")
    assert in_force[:2] == ("DeleteConflict", 409)
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=other)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [one["VersionId"] for one in versions] == ["v1", "v3"]


def test_five_versions_at_most(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="store", PolicyDocument=TEXT)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=TEXT)
    sixth = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=TEXT)
    assert sixth[:2] == ("LimitExceeded", 409)


def test_attached_policy_is_not_deleted(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="store", PolicyDocument=TEXT)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    holders = iam.list_entities_for_policy(PolicyArn=arn)
    assert [role["RoleName"] for role in holders["PolicyRoles"]] == ["worker"]
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.detach_role_policy(RoleName="worker", PolicyArn=arn)
    assert refusal(iam.detach_role_policy, RoleName="worker", PolicyArn=arn)[0] == "NoSuchEntity"
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_policies_that_there_are_not(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/Nonsense"
    assert refusal(iam.attach_role_policy, RoleName="worker", PolicyArn=arn) == (
        "NoSuchEntity",
        404,
        f"Policy {arn} does not exist or is not attachable.",
    )
    assert refusal(iam.get_policy, PolicyArn="x" * 20)[0] == "InvalidInput"


@pytest.mark.parametrize(
    "name",
    [
        "AdministratorAccess",
        "AmazonEC2ContainerRegistryReadOnly",
        "AmazonEC2FullAccess",
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonSSMManagedInstanceCore",
        "ReadOnlyAccess",
        "service-role/AmazonEC2SpotFleetTaggingRole",
    ],
)
def test_policies_of_aws(iam: Any, name: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["PolicyId"].startswith("ANPA")
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    assert version["PolicyVersion"]["Document"]["Statement"]
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "AccessDenied"


def test_lists_of_policies(iam: Any) -> None:
    iam.create_policy(PolicyName="store", PolicyDocument=TEXT)
    own = iam.list_policies(Scope="Local")["Policies"]
    assert [one["PolicyName"] for one in own] == ["store"]
    assert all("::aws:" in one["Arn"] for one in iam.list_policies(Scope="AWS")["Policies"])
    iam.attach_role_policy(RoleName="worker", PolicyArn=SSM_CORE)
    attached = iam.list_policies(OnlyAttached=True)["Policies"]
    assert [one["Arn"] for one in attached] == [SSM_CORE]
