"""Instance profiles: IAM's side and EC2's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.services.ec2.profiles import profile_for, role_of_instance
from runctl.localcloud.services.iam.rights import may_use_ssm
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import REGION, Rehearsal
from tests.unit.localcloud.test_iam import SSM_CORE, TEXT, refusal
from tests.unit.localcloud.test_imds import EC2_TRUST, IDENT, put_instance


@pytest.fixture
def iam(rehearsal: Rehearsal) -> Any:
    client = rehearsal.client("iam")
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST)
    return client


def test_profile_holds_one_role(iam: Any) -> None:
    made = iam.create_instance_profile(InstanceProfileName="p")["InstanceProfile"]
    assert made["InstanceProfileId"].startswith("AIPA")
    assert made["Roles"] == []
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="worker")
    second = refusal(iam.add_role_to_instance_profile, InstanceProfileName="p", RoleName="worker")
    assert second[:2] == ("LimitExceeded", 409)
    found = iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]
    assert found["Roles"][0]["AssumeRolePolicyDocument"] == json.loads(EC2_TRUST)
    listed = iam.list_instance_profiles_for_role(RoleName="worker")["InstanceProfiles"]
    assert [one["InstanceProfileName"] for one in listed] == ["p"]
    assert refusal(iam.delete_instance_profile, InstanceProfileName="p")[0] == "DeleteConflict"
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="worker")
    iam.delete_instance_profile(InstanceProfileName="p")
    gone = refusal(iam.get_instance_profile, InstanceProfileName="p")
    assert gone == ("NoSuchEntity", 404, "Instance Profile p cannot be found.")


def test_waiter_of_profiles(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="p")
    waiter = iam.get_waiter("instance_profile_exists")
    waiter.wait(InstanceProfileName="p", WaiterConfig={"MaxAttempts": 1})


# ---------------------------------------------------------------- EC2's side


def associate(rehearsal: Rehearsal, **specification: str) -> Any:
    answer = rehearsal.client("ec2").associate_iam_instance_profile(
        InstanceId=IDENT, IamInstanceProfile=specification
    )
    return answer["IamInstanceProfileAssociation"]


def put_profile(iam: Any, name: str = "p") -> str:
    arn = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="worker")
    return str(arn)


def test_new_profile_is_unknown_to_ec2_for_a_while(rehearsal: Rehearsal, iam: Any) -> None:
    put_instance(rehearsal)
    arn = put_profile(iam)
    code, status, words = refusal(lambda: associate(rehearsal, Name="p"))
    assert (code, status) == ("InvalidParameterValue", 400)
    assert words == (
        "Value (p) for parameter iamInstanceProfile.name is invalid. "
        "Invalid IAM Instance Profile name"
    )
    assert "Invalid IAM Instance Profile ARN" in refusal(lambda: associate(rehearsal, Arn=arn))[2]
    rehearsal.advance(rehearsal.cloud.pace.profile_s)
    assert associate(rehearsal, Name="p")["IamInstanceProfile"]["Arn"] == arn


def test_profile_without_a_role(rehearsal: Rehearsal, iam: Any) -> None:
    put_instance(rehearsal)
    iam.create_instance_profile(InstanceProfileName="empty")
    rehearsal.advance(5)
    words = refusal(lambda: associate(rehearsal, Name="empty"))[2]
    assert words.endswith("has no associated IAM Roles")


def test_name_and_arn_together(rehearsal: Rehearsal) -> None:
    with pytest.raises(AwsError) as error:
        profile_for(None, {"Name": "p", "Arn": "arn:aws:iam::1:instance-profile/p"})  # type: ignore[arg-type]
    assert error.value.code == "InvalidParameterCombination"


def test_associations(rehearsal: Rehearsal, iam: Any) -> None:
    put_instance(rehearsal)
    put_profile(iam)
    other = put_profile(iam, "q")
    rehearsal.advance(5)
    ec2 = rehearsal.client("ec2")
    first = associate(rehearsal, Name="p")
    assert first["State"] == "associating"
    assert refusal(lambda: associate(rehearsal, Name="q"))[0] == "IncorrectState"
    rehearsal.advance(1)
    wanted = [{"Name": "instance-id", "Values": [IDENT]}]
    described = ec2.describe_iam_instance_profile_associations(Filters=wanted)
    assert [one["State"] for one in described["IamInstanceProfileAssociations"]] == ["associated"]
    second = ec2.replace_iam_instance_profile_association(
        AssociationId=first["AssociationId"], IamInstanceProfile={"Name": "q"}
    )["IamInstanceProfileAssociation"]
    assert second["IamInstanceProfile"]["Arn"] == other
    assert second["AssociationId"] != first["AssociationId"]
    gone = refusal(ec2.disassociate_iam_instance_profile, AssociationId=first["AssociationId"])
    assert gone[0] == "InvalidAssociationID.NotFound"
    ended = ec2.disassociate_iam_instance_profile(AssociationId=second["AssociationId"])
    assert ended["IamInstanceProfileAssociation"]["State"] == "disassociating"
    left = ec2.describe_iam_instance_profile_associations()
    assert left["IamInstanceProfileAssociations"] == []


def test_role_of_an_instance(rehearsal: Rehearsal, iam: Any) -> None:
    put_instance(rehearsal)
    put_profile(iam)
    rehearsal.advance(5)
    assert role_of_instance(rehearsal.cloud, REGION, IDENT) is None
    associate(rehearsal, Name="p")
    role = role_of_instance(rehearsal.cloud, REGION, IDENT)
    assert role is not None
    assert role["RoleName"] == "worker"
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="worker")
    iam.delete_instance_profile(InstanceProfileName="p")
    put_profile(iam)
    assert role_of_instance(rehearsal.cloud, REGION, IDENT) is None


def test_who_may_use_systems_manager(rehearsal: Rehearsal, iam: Any) -> None:
    def may(name: str) -> bool:
        return may_use_ssm(rehearsal.cloud, rehearsal.cloud.records.peek("role", "", name))

    assert not may_use_ssm(rehearsal.cloud, None)
    assert not may("worker")
    iam.attach_role_policy(RoleName="worker", PolicyArn=SSM_CORE)
    assert may("worker")
    deny = TEXT.replace("Allow", "Deny").replace("s3:*", "ssmmessages:*")
    iam.put_role_policy(RoleName="worker", PolicyName="no", PolicyDocument=deny)
    assert not may("worker")
    trust = EC2_TRUST.replace("ec2.", "lambda.")
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName="other", PolicyArn=SSM_CORE)
    assert not may("other")
