"""What has to be allowed for a launch: every kind of resource, tags, the role."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.localcloud.identity import Principal
from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal
from tests.unit.localcloud.test_access import ANY, ask
from tests.unit.localcloud.test_imds import EC2_TRUST, IDENT, put_instance
from tests.unit.localcloud.test_sts import make_user

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


def make_profile(rehearsal: Rehearsal) -> None:
    iam = rehearsal.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=EC2_TRUST)
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="worker")
    rehearsal.advance(5)


def make_template(rehearsal: Rehearsal) -> str:
    data = {
        "ImageId": RUN["ImageId"],
        "InstanceType": "p5.48xlarge",
        "IamInstanceProfile": {"Name": "p"},
        "TagSpecifications": tagged(a="b"),
    }
    made = rehearsal.client("ec2").create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData=data
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def test_what_a_template_says_counts(rehearsal: Rehearsal) -> None:
    make_profile(rehearsal)
    template = {"LaunchTemplate": {"LaunchTemplateId": make_template(rehearsal)}}
    launch = {"Action": "ec2:RunInstances", **ANY}
    tagging = {"Action": "ec2:CreateTags", **ANY}
    passing = {"Action": "iam:PassRole", **ANY}
    large = {
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringNotLike": {"ec2:InstanceType": "t3.*"}},
    }
    users: dict[str, list[dict[str, Any]]] = {
        "ec2:RunInstances": [tagging, passing],
        "ec2:CreateTags": [launch, passing],
        "iam:PassRole": [launch, tagging],
        "explicit deny": [launch, tagging, passing, large],
        "": [launch, tagging, passing],
    }
    for number, (words, statements) in enumerate(users.items()):
        who = make_user(rehearsal, *statements, name=f"u{number}")
        answer = ask(rehearsal, who, "ec2", "run_instances", MinCount=1, MaxCount=1, **template)
        assert words in answer
        assert bool(words) == bool(answer)


def test_fleet_needs_what_its_launches_need(rehearsal: Rehearsal) -> None:
    make_profile(rehearsal)
    config = {"LaunchTemplateSpecification": {"LaunchTemplateId": make_template(rehearsal),
                                              "Version": "1"}}  # fmt: skip
    fleet: dict[str, Any] = {
        "Type": "instant",
        "LaunchTemplateConfigs": [config],
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1},
    }
    names = ["ec2:CreateFleet", "ec2:RunInstances", "iam:PassRole", "ec2:CreateTags"]
    for missing in names:
        rights = [{"Action": name, **ANY} for name in names if name != missing]
        who = make_user(rehearsal, *rights, name=missing.replace(":", "-"))
        assert missing in ask(rehearsal, who, "ec2", "create_fleet", **fleet)
    whole = make_user(rehearsal, {"Action": names, **ANY}, name="whole")
    assert ask(rehearsal, whole, "ec2", "create_fleet", **fleet) == ""


def test_spot_request_needs_the_role_of_its_specification(rehearsal: Rehearsal) -> None:
    make_profile(rehearsal)
    wanted = {"LaunchSpecification": {"ImageId": RUN["ImageId"],
                                      "IamInstanceProfile": {"Name": "p"}}}  # fmt: skip
    ann = make_user(rehearsal, {"Action": "ec2:*", **ANY})
    assert "iam:PassRole" in ask(rehearsal, ann, "ec2", "request_spot_instances", **wanted)
