"""What Systems Manager, ECR and IAM itself let limited users do."""

from __future__ import annotations

from tests.unit.localcloud.conftest import ACCOUNT, REGION, Rehearsal
from tests.unit.localcloud.test_access import ANY, INSTANCE, ask
from tests.unit.localcloud.test_imds import EC2_TRUST, IDENT, put_instance
from tests.unit.localcloud.test_sts import make_user


def test_command_needs_the_document_and_the_instance(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal, Tags=[{"Key": "owner", "Value": "me"}])
    document = f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"
    ours = {"StringEquals": {"ssm:resourceTag/owner": "me"}}
    on_ours = {"Action": "ssm:SendCommand", "Resource": "arn:aws:ec2:*:*:instance/*",
               "Condition": ours}  # fmt: skip
    send = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [IDENT]}
    ann = make_user(rehearsal, on_ours)
    assert document in ask(rehearsal, ann, "ssm", "send_command", **send)
    with_document = {"Action": "ssm:SendCommand", "Resource": document}
    bob = make_user(rehearsal, with_document, name="bob")
    assert INSTANCE in ask(rehearsal, bob, "ssm", "send_command", **send)
    cid = make_user(rehearsal, on_ours, with_document, name="cid")
    assert ask(rehearsal, cid, "ssm", "send_command", **send) == ""
    by_tag = {"DocumentName": "AWS-RunShellScript",
              "Targets": [{"Key": "tag:a", "Values": ["b"]}]}  # fmt: skip
    assert ":instance/*" in ask(rehearsal, cid, "ssm", "send_command", **by_tag)


def test_parameters_of_aws_and_of_the_account(rehearsal: Rehearsal) -> None:
    public = f"arn:aws:ssm:{REGION}::parameter/aws/service/*"
    ann = make_user(rehearsal, {"Action": "ssm:GetParameter*", "Resource": public})
    assert ask(rehearsal, ann, "ssm", "get_parameter", Name="/aws/service/x/y") == ""
    words = ask(rehearsal, ann, "ssm", "get_parameters", Names=["/aws/service/x", "mine"])
    assert f":{ACCOUNT}:parameter/mine because" in words


def test_repositories(rehearsal: Rehearsal) -> None:
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/train"
    ann = make_user(rehearsal, {"Action": "ecr:*", "Resource": arn})
    assert ask(rehearsal, ann, "ecr", "describe_repositories", repositoryNames=["train"]) == ""
    words = ask(rehearsal, ann, "ecr", "describe_repositories", repositoryNames=["other"])
    assert "repository/other" in words
    assert "on resource: * " in ask(rehearsal, ann, "ecr", "get_authorization_token")


def test_role_must_be_passed_into_a_profile(rehearsal: Rehearsal) -> None:
    iam = rehearsal.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST)
    iam.create_instance_profile(InstanceProfileName="p")
    ann = make_user(rehearsal, {"Action": "iam:*Instance*", **ANY})
    adding = {"InstanceProfileName": "p", "RoleName": "worker"}
    words = ask(rehearsal, ann, "iam", "add_role_to_instance_profile", **adding)
    assert "perform: iam:PassRole" in words


def test_user_may_manage_itself(rehearsal: Rehearsal) -> None:
    own = {"Action": "iam:*", "Resource": f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"}
    ann = make_user(rehearsal, own)
    make_user(rehearsal, name="bob")
    assert ask(rehearsal, ann, "iam", "list_access_keys", UserName="ann") == ""
    assert ask(rehearsal, ann, "iam", "get_user") == ""
    assert ask(rehearsal, ann, "iam", "list_access_keys", UserName="bob")
