"""Who may do what: calls of limited users and roles, and of S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.identity import Principal
from runctl.localcloud.wire.errors import AwsError
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


RUN = {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1}


def run(rehearsal: Rehearsal, who: Principal, **parameters: Any) -> str:
    return ask(rehearsal, who, "ec2", "run_instances", **{**RUN, **parameters})


@pytest.mark.parametrize(
    "missing", ["image", "instance", "network-interface", "security-group", "subnet", "volume"]
)
def test_launch_needs_every_kind_of_resource(rehearsal: Rehearsal, missing: str) -> None:
    kinds = {"image", "instance", "network-interface", "security-group", "subnet", "volume"}
    allowed = [f"arn:aws:ec2:*:*:{kind}/*" for kind in kinds - {missing}]
    ann = make_user(rehearsal, {"Action": "ec2:RunInstances", "Resource": allowed})
    words = run(rehearsal, ann, SubnetId="subnet-1", SecurityGroupIds=["sg-1"])
    assert f":{missing}/" in words
    wide = [*allowed, f"arn:aws:ec2:*:*:{missing}/*"]
    bob = make_user(rehearsal, {"Action": "ec2:RunInstances", "Resource": wide}, name="bob")
    assert run(rehearsal, bob, SubnetId="subnet-1", SecurityGroupIds=["sg-1"]) == ""
    assert "key-pair/mine" in run(rehearsal, bob, KeyName="mine")


def test_types_can_be_limited(rehearsal: Rehearsal) -> None:
    small = {"StringLike": {"ec2:InstanceType": ["t3.*"]}}
    deny = {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*:instance/*"}
    large = {"StringNotLike": small["StringLike"]}
    statement = {**deny, "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": large}
    ann = make_user(rehearsal, {"Action": "ec2:*", **ANY}, statement)
    assert run(rehearsal, ann, InstanceType="t3.micro") == ""
    assert "explicit deny" in run(rehearsal, ann, InstanceType="p5.48xlarge")


def test_region_can_be_limited(rehearsal: Rehearsal) -> None:
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}
    deny = {"Effect": "Deny", "Action": "*", **ANY, "Condition": elsewhere}
    ann = make_user(rehearsal, {"Action": "*", **ANY}, deny)
    assert "explicit deny" in ask(rehearsal, ann, "ec2", "describe_tags")
    assert rehearsal.client("ec2", "eu-central-1", ann).describe_tags()["Tags"] == []


def tagged(kind: str = "instance", **tags: str) -> list[dict[str, Any]]:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": listed}]


def test_launch_must_bear_tags(rehearsal: Rehearsal) -> None:
    must = {"StringEquals": {"aws:RequestTag/owner": "me"}}
    rest = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("image", "subnet", "security-group",
            "network-interface", "volume")]  # fmt: skip
    tagging = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    ann = make_user(
        rehearsal,
        {"Action": "ec2:RunInstances", "Resource": rest},
        {
            "Action": "ec2:RunInstances",
            "Resource": "arn:aws:ec2:*:*:instance/*",
            "Condition": must,
        },
        {"Action": "ec2:CreateTags", **ANY, "Condition": tagging},
    )
    assert "instance/*" in run(rehearsal, ann)
    assert "instance/*" in run(rehearsal, ann, TagSpecifications=tagged(owner="you"))
    assert run(rehearsal, ann, TagSpecifications=tagged(owner="me")) == ""
    put_instance(rehearsal)
    later = {"Resources": [IDENT], "Tags": [{"Key": "owner", "Value": "me"}]}
    assert "ec2:CreateTags" in ask(rehearsal, ann, "ec2", "create_tags", **later)


def test_tags_on_create_need_their_own_right(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": ["ec2:RunInstances", "ec2:CreateVolume"], **ANY})
    assert run(rehearsal, ann) == ""
    words = run(rehearsal, ann, TagSpecifications=tagged("volume", a="b"))
    assert "perform: ec2:CreateTags on resource" in words
    assert ":volume/*" in words
    made = {"AvailabilityZone": "us-east-1a", "Size": 1}
    assert ask(rehearsal, ann, "ec2", "create_volume", **made) == ""
    with_tags = {**made, "TagSpecifications": tagged("volume", a="b")}
    assert "ec2:CreateTags" in ask(rehearsal, ann, "ec2", "create_volume", **with_tags)


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


def test_profile_needs_the_right_to_pass_its_role(rehearsal: Rehearsal) -> None:
    iam = rehearsal.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST)
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="worker")
    rehearsal.advance(5)
    put_instance(rehearsal)
    profile = {"IamInstanceProfile": {"Name": "p"}}
    passing = {
        "Action": "iam:PassRole",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/worker",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    ann = make_user(rehearsal, {"Action": "ec2:*", **ANY})
    bob = make_user(rehearsal, {"Action": "ec2:*", **ANY}, passing, name="bob")
    words = run(rehearsal, ann, **profile)
    assert f"perform: iam:PassRole on resource: {passing['Resource']}" in words
    assert run(rehearsal, bob, **profile) == ""
    associate = {"InstanceId": IDENT, **profile}
    name = "associate_iam_instance_profile"
    assert "iam:PassRole" in ask(rehearsal, ann, "ec2", name, **associate)
    assert ask(rehearsal, bob, "ec2", name, **associate) == ""


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


# ---------------------------------------------------------------- other services' resources


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


# ---------------------------------------------------------------- S3

KEY = "arn:aws:s3:::store/runs/1"


def bucket(*statements: dict[str, Any]) -> str:
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
              "Resource": "arn:aws:s3:::store/*", **one} for one in statements]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


def s3(
    rehearsal: Rehearsal,
    who: Principal | None,
    action: str = "s3:GetObject",
    policy: str | None = None,
    **conditions: str,
) -> str:
    """Return why not, or "" where it may be done."""
    given = {name.replace("__", ":").replace("_", "-"): v for name, v in conditions.items()}
    try:
        rehearsal.cloud.access.check_s3(who, action, KEY, given, policy)
    except AwsError as error:
        if (error.code, error.status) != ("AccessDenied", 403):
            raise
        return error.message
    return ""


def test_s3_of_users(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "s3:Get*", "Resource": "arn:aws:s3:::store/*"})
    assert s3(rehearsal, ann) == ""
    assert s3(rehearsal, ann, "s3:PutObject") == (
        f'User: {ann.arn} is not authorized to perform: s3:PutObject on resource: "{KEY}" because '
        "no identity-based policy allows the s3:PutObject action"
    )


def test_s3_of_the_root_and_of_nobody(rehearsal: Rehearsal) -> None:
    assert s3(rehearsal, ROOT) == ""
    assert s3(rehearsal, None) == "Access Denied"


def test_policy_of_a_bucket_allows(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal)
    named = bucket({"Principal": {"AWS": ann.arn}})
    assert s3(rehearsal, ann, policy=named) == ""
    assert s3(rehearsal, None, policy=named)
    assert s3(rehearsal, ann, "s3:PutObject", named)
    account = bucket({"Principal": {"AWS": ACCOUNT}})
    assert s3(rehearsal, ann, policy=account)
    assert s3(rehearsal, None, policy=bucket({})) == ""
    assert s3(rehearsal, None, "s3:PutObject", bucket({})) == "Access Denied"


def test_policy_of_a_bucket_names_a_role(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    who = taken(rehearsal, assume(rehearsal))
    arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
    assert s3(rehearsal, who)
    assert s3(rehearsal, who, policy=bucket({"Principal": {"AWS": arn}})) == ""
    assert s3(rehearsal, who, policy=bucket({"Principal": {"AWS": who.arn}})) == ""


def test_policy_of_a_bucket_denies(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "s3:*", **ANY})
    deny = bucket({"Effect": "Deny", "Action": "s3:*"})
    assert s3(rehearsal, ann, policy=deny).endswith(
        "with an explicit deny in a resource-based policy"
    )
    assert s3(rehearsal, ROOT, policy=deny) == "Access Denied"
    assert s3(rehearsal, ROOT, "s3:DeleteBucketPolicy", deny) == ""
    assert s3(rehearsal, ann, "s3:DeleteBucketPolicy", deny)


def test_conditions_of_s3(rehearsal: Rehearsal) -> None:
    only = {"StringLike": {"s3:prefix": "runs/*"}}
    ann = make_user(rehearsal, {"Action": "s3:ListBucket", **ANY, "Condition": only})
    assert s3(rehearsal, ann, "s3:ListBucket", s3__prefix="runs/1/") == ""
    assert s3(rehearsal, ann, "s3:ListBucket", s3__prefix="other/")
    assert s3(rehearsal, ann, "s3:ListBucket")


def test_loopback_counts_as_secure_transport(rehearsal: Rehearsal) -> None:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    policy = bucket({"Effect": "Deny", "Action": "s3:*", "Condition": insecure})
    assert s3(rehearsal, ROOT, policy=policy) == ""
