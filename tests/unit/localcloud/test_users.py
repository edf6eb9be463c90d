"""Users and keys, the account, the simulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal
from tests.unit.localcloud.test_iam import ALLOW_ALL, TEXT, refusal
from tests.unit.localcloud.test_imds import EC2_TRUST


@pytest.fixture
def iam(rehearsal: Rehearsal) -> Any:
    client = rehearsal.client("iam")
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST, Path="/ml/")
    return client


def test_users_and_their_keys(rehearsal: Rehearsal, iam: Any) -> None:
    user = iam.create_user(UserName="ann")["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann"
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    identity = rehearsal.cloud.identity
    assert identity.principal(identity.find(key["AccessKeyId"]), None).user == "ann"
    iam.create_access_key(UserName="ann")
    third = refusal(iam.create_access_key, UserName="ann")
    assert third[:2] == ("LimitExceeded", 409)
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(AwsError, match="InvalidClientTokenId"):
        identity.find(key["AccessKeyId"])
    listed = iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
    assert sorted(one["Status"] for one in listed) == ["Active", "Inactive"]
    assert "SecretAccessKey" not in listed[0]
    assert refusal(iam.delete_user, UserName="ann")[0] == "DeleteConflict"
    for one in listed:
        iam.delete_access_key(UserName="ann", AccessKeyId=one["AccessKeyId"])
    iam.delete_user(UserName="ann")
    assert refusal(iam.get_user, UserName="ann")[0] == "NoSuchEntity"


def test_keys_of_users_are_not_the_roots(rehearsal: Rehearsal, iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_access_key(UserName="ann")
    root = rehearsal.cloud.identity.root()
    assert root["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert rehearsal.cloud.identity.root() == root


def test_the_account(iam: Any) -> None:
    assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.get_account_summary()["SummaryMap"]["Roles"] == 1


# ---------------------------------------------------------------- simulation


def decisions(answer: Any) -> dict[str, str]:
    return {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}


def test_simulated_principal(iam: Any) -> None:
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=TEXT)
    deny = TEXT.replace("Allow", "Deny").replace("s3:*", "s3:DeleteObject")
    answer = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/ml/worker",
        PolicyInputList=[deny],
        ActionNames=["s3:GetObject", "s3:DeleteObject", "ec2:RunInstances"],
    )
    assert decisions(answer) == {
        "s3:GetObject": "allowed",
        "s3:DeleteObject": "explicitDeny",
        "ec2:RunInstances": "implicitDeny",
    }
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    unknown = refusal(
        iam.simulate_principal_policy, PolicySourceArn=nobody, ActionNames=["s3:GetObject"]
    )
    assert unknown[0] == "NoSuchEntity"


def test_simulated_policy_with_context_and_boundary(iam: Any) -> None:
    statement = {
        **ALLOW_ALL["Statement"][0],
        "Condition": {"StringEquals": {"aws:ResourceTag/owner": "me"}},
    }
    policy = json.dumps({**ALLOW_ALL, "Statement": statement})
    mine = {
        "ContextKeyName": "aws:ResourceTag/owner",
        "ContextKeyValues": ["me"],
        "ContextKeyType": "string",
    }
    ask = {"PolicyInputList": [policy], "ActionNames": ["s3:GetObject"]}
    without = iam.simulate_custom_policy(**ask)
    assert decisions(without) == {"s3:GetObject": "implicitDeny"}
    missing = without["EvaluationResults"][0]["MissingContextValues"]
    assert missing == ["aws:ResourceTag/owner"]
    with_tag = iam.simulate_custom_policy(**ask, ContextEntries=[mine])
    assert decisions(with_tag) == {"s3:GetObject": "allowed"}
    bounds = TEXT.replace("s3:*", "ec2:*")
    bounded = iam.simulate_custom_policy(
        **ask, ContextEntries=[mine], PermissionsBoundaryPolicyInputList=[bounds]
    )
    assert decisions(bounded) == {"s3:GetObject": "implicitDeny"}
    assert refusal(iam.simulate_custom_policy, **{**ask, "PolicyInputList": ["{"]})[0] == (
        "InvalidInput"
    )
