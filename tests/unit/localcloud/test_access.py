"""Who may do what: calls of limited users and roles, and of S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.identity import Principal
from tests.unit.localcloud.conftest import ACCOUNT, REGION, Rehearsal
from tests.unit.localcloud.test_iam import refusal
from tests.unit.localcloud.test_imds import EC2_TRUST, IDENT, put_instance
from tests.unit.localcloud.test_sts import account_trust, assume, make_role, make_user, taken

INSTANCE = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{IDENT}"
ANY = {"Resource": "*"}
ROOT = Principal("AKIAROOT", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def ask(rehearsal: Rehearsal, who: Principal, service: str, name: str, **parameters: Any) -> str:
    """Make a call; return the code of its refusal, or "" where it got past the policies."""
    try:
        getattr(rehearsal.client(service, caller=who), name)(**parameters)
    except rehearsal.client(service).exceptions.ClientError as error:
        code = str(error.response["Error"]["Code"])
        is_refusal = code in ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
        return error.response["Error"]["Message"] if is_refusal else ""
    return ""


# ---------------------------------------------------------------- the words of each service


def test_ec2_says_unauthorized_and_why(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal)
    ann = make_user(rehearsal)
    ec2 = rehearsal.client("ec2", caller=ann)
    tag = {"Resources": [IDENT], "Tags": [{"Key": "a", "Value": "b"}]}
    code, status, words = refusal(ec2.create_tags, **tag)
    assert (code, status) == ("UnauthorizedOperation", 403)
    start = (
        "You are not authorized to perform this operation. User: "
        f"{ann.arn} is not authorized to perform: ec2:CreateTags on resource: {INSTANCE} because "
        "no identity-based policy allows the ec2:CreateTags action. Encoded authorization "
        "failure message: "
    )
    assert words.startswith(start)
    sts = rehearsal.client("sts")
    decoded = sts.decode_authorization_message(EncodedMessage=words.removeprefix(start))
    report = json.loads(decoded["DecodedMessage"])
    assert report["allowed"] is report["explicitDeny"] is False
    assert report["context"]["action"] == "ec2:CreateTags"
    assert report["context"]["resource"] == INSTANCE


def test_dry_run_tells_what_is_not_allowed(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal)
    tag = {"Resources": [IDENT], "Tags": [{"Key": "a", "Value": "b"}], "DryRun": True}
    nobody = make_user(rehearsal)
    somebody = make_user(rehearsal, {"Action": "ec2:CreateTags", **ANY}, name="bob")
    codes = [
        refusal(rehearsal.client("ec2", caller=who).create_tags, **tag)[0]
        for who in (nobody, somebody)
    ]
    assert codes == ["UnauthorizedOperation", "DryRunOperation"]


def test_iam_says_access_denied(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal)
    code, status, words = refusal(rehearsal.client("iam", caller=ann).get_role, RoleName="r")
    assert (code, status) == ("AccessDenied", 403)
    assert words == (
        f"User: {ann.arn} is not authorized to perform: iam:GetRole on resource: "
        f"arn:aws:iam::{ACCOUNT}:role/r because no identity-based policy allows the iam:GetRole "
        "action"
    )


def test_systems_manager_says_access_denied_exception(rehearsal: Rehearsal) -> None:
    ssm = rehearsal.client("ssm", caller=make_user(rehearsal))
    code, status, words = refusal(ssm.get_parameter, Name="/a/b")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b" in words


def test_explicit_deny_is_named(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "*", **ANY}, {"Effect": "Deny", "Action": "iam:*", **ANY})
    words = ask(rehearsal, ann, "iam", "list_roles")
    assert words.endswith("with an explicit deny in an identity-based policy")


def test_boundary_is_named(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "*", **ANY})
    assert ask(rehearsal, ann, "iam", "list_roles") == ""
    rehearsal.client("iam").put_user_permissions_boundary(
        UserName="ann", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonEC2FullAccess"
    )
    words = ask(rehearsal, ann, "iam", "list_roles")
    assert words.endswith("because no permissions boundary allows the iam:ListRoles action")


def test_rights_follow_the_policies_at_once(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal)
    iam = rehearsal.client("iam")
    arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    assert ask(rehearsal, ann, "iam", "list_roles")
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    assert ask(rehearsal, ann, "iam", "list_roles") == ""
    iam.detach_user_policy(UserName="ann", PolicyArn=arn)
    assert ask(rehearsal, ann, "iam", "list_roles")


def test_session_of_a_role_that_was_made_again_has_no_rights(rehearsal: Rehearsal) -> None:
    iam = rehearsal.client("iam")
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    make_role(rehearsal, account_trust())
    iam.attach_role_policy(RoleName="worker", PolicyArn=admin)
    who = taken(rehearsal, assume(rehearsal))
    assert ask(rehearsal, who, "iam", "list_roles") == ""
    iam.detach_role_policy(RoleName="worker", PolicyArn=admin)
    iam.delete_role(RoleName="worker")
    make_role(rehearsal, account_trust())
    iam.attach_role_policy(RoleName="worker", PolicyArn=admin)
    assert ask(rehearsal, who, "iam", "list_roles")


# ---------------------------------------------------------------- EC2's resources


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("terminate_instances", {"InstanceIds": [IDENT]}),
        ("stop_instances", {"InstanceIds": [IDENT]}),
        ("start_instances", {"InstanceIds": [IDENT]}),
        ("reboot_instances", {"InstanceIds": [IDENT]}),
        ("create_tags", {"Resources": [IDENT], "Tags": [{"Key": "a", "Value": "b"}]}),
        ("delete_tags", {"Resources": [IDENT]}),
        ("modify_instance_attribute", {"InstanceId": IDENT, "EbsOptimized": {"Value": True}}),
    ],
)
def test_only_what_is_tagged_ours(
    rehearsal: Rehearsal, name: str, parameters: dict[str, Any]
) -> None:
    put_instance(rehearsal, Tags=[{"Key": "runctl:owner", "Value": "me"}])
    ours = {"StringEquals": {"ec2:ResourceTag/runctl:owner": "me"}}
    theirs = {"StringEquals": {"aws:ResourceTag/runctl:owner": "you"}}
    may = make_user(rehearsal, {"Action": "ec2:*", **ANY, "Condition": ours})
    may_not = make_user(rehearsal, {"Action": "ec2:*", **ANY, "Condition": theirs}, name="bob")
    assert ask(rehearsal, may, "ec2", name, **parameters) == ""
    words = ask(rehearsal, may_not, "ec2", name, **parameters)
    assert f"on resource: {INSTANCE} because" in words


def test_every_instance_counts(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal)
    put_instance(rehearsal, "i-00000000000000002")
    ann = make_user(rehearsal, {"Action": "ec2:StopInstances", "Resource": INSTANCE})
    assert ask(rehearsal, ann, "ec2", "stop_instances", InstanceIds=[IDENT]) == ""
    both = [IDENT, "i-00000000000000002"]
    words = ask(rehearsal, ann, "ec2", "stop_instances", InstanceIds=both)
    assert "instance/i-00000000000000002" in words


def test_reading_has_no_resources(rehearsal: Rehearsal) -> None:
    narrow = make_user(rehearsal, {"Action": "ec2:Describe*", "Resource": INSTANCE})
    wide = make_user(rehearsal, {"Action": "ec2:Describe*", **ANY}, name="bob")
    assert "on resource: * because" in ask(rehearsal, narrow, "ec2", "describe_tags")
    assert ask(rehearsal, wide, "ec2", "describe_tags") == ""


def test_keys_of_tags_can_be_limited(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal)
    only = {"ForAllValues:StringLike": {"aws:TagKeys": "runctl:*"}}
    ann = make_user(rehearsal, {"Action": "ec2:*Tags", **ANY, "Condition": only})
    for name in ("create_tags", "delete_tags"):
        good = {"Resources": [IDENT], "Tags": [{"Key": "runctl:a", "Value": "1"}]}
        both = [{"Key": "runctl:a", "Value": "1"}, {"Key": "Name", "Value": "1"}]
        bad = {"Resources": [IDENT], "Tags": both}
        assert ask(rehearsal, ann, "ec2", name, **good) == ""
        assert "ec2:" in ask(rehearsal, ann, "ec2", name, **bad)


def test_instance_may_end_itself_only(rehearsal: Rehearsal) -> None:
    put_instance(rehearsal)
    put_instance(rehearsal, "i-00000000000000002")
    own = {
        "Effect": "Allow",
        "Action": "ec2:TerminateInstances",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringLike": {"aws:userid": "*:${ec2:InstanceID}"}},
    }
    iam = rehearsal.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST)
    document = json.dumps({"Version": "2012-10-17", "Statement": own})
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=document)
    role_id = iam.get_role(RoleName="worker")["Role"]["RoleId"]
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/{IDENT}"
    who = Principal("ASIA", ACCOUNT, arn, "worker", None, f"{role_id}:{IDENT}")
    assert ask(rehearsal, who, "ec2", "terminate_instances", InstanceIds=[IDENT]) == ""
    other = ["i-00000000000000002"]
    assert ask(rehearsal, who, "ec2", "terminate_instances", InstanceIds=other)


@pytest.mark.parametrize(
    ("name", "parameters", "resource"),
    [
        ("delete_volume", {"VolumeId": "vol-1"}, f":{ACCOUNT}:volume/vol-1"),
        (
            "attach_volume",
            {"VolumeId": "vol-1", "InstanceId": IDENT, "Device": "/dev/sdf"},
            f":{ACCOUNT}:instance/{IDENT}",
        ),
        ("detach_volume", {"VolumeId": "vol-1"}, f":{ACCOUNT}:volume/vol-1"),
        ("create_snapshot", {"VolumeId": "vol-1"}, "::snapshot/*"),
        ("delete_snapshot", {"SnapshotId": "snap-1"}, "::snapshot/snap-1"),
        ("deregister_image", {"ImageId": "ami-1"}, "::image/ami-1"),
        (
            "delete_fleets",
            {"FleetIds": ["fleet-1"], "TerminateInstances": True},
            f":{ACCOUNT}:fleet/fleet-1",
        ),
        (
            "cancel_spot_instance_requests",
            {"SpotInstanceRequestIds": ["sir-1"]},
            f":{ACCOUNT}:spot-instances-request/sir-1",
        ),
        ("delete_security_group", {"GroupId": "sg-1"}, f":{ACCOUNT}:security-group/sg-1"),
        ("delete_key_pair", {"KeyName": "mine"}, f":{ACCOUNT}:key-pair/mine"),
    ],
)
def test_resources_of_ec2(
    rehearsal: Rehearsal, name: str, parameters: dict[str, Any], resource: str
) -> None:
    words = ask(rehearsal, make_user(rehearsal), "ec2", name, **parameters)
    assert f"arn:aws:ec2:{REGION}{resource} because" in words
