"""Launch templates: versions, and what instances take from them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import Rehearsal
from tests.unit.localcloud.test_instances import AMI, describe, image, refusal

UNKNOWN = "lt-0123456789abcdef0"


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


def make(rehearsal: Rehearsal, name: str = "template", **data: Any) -> str:
    wanted = {"ImageId": image(rehearsal), "InstanceType": "t3.micro", **data}
    made = rehearsal.client("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=wanted
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def launch(rehearsal: Rehearsal, **more: Any) -> Any:
    answer = rehearsal.client("ec2").run_instances(MinCount=1, MaxCount=1, **more)
    return answer["Instances"][0]


def test_a_template_has_its_first_version_as_default(rehearsal: Rehearsal, ec2: Any) -> None:
    made = ec2.create_launch_template(
        LaunchTemplateName="named",
        VersionDescription="first",
        LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )["LaunchTemplate"]
    assert (made["DefaultVersionNumber"], made["LatestVersionNumber"]) == (1, 1)
    assert made["Tags"] == [{"Key": "a", "Value": "b"}]
    rehearsal.restart()
    [version] = ec2.describe_launch_template_versions(LaunchTemplateName="named")[
        "LaunchTemplateVersions"
    ]
    assert version["DefaultVersion"] is True
    assert version["VersionDescription"] == "first"
    assert version["LaunchTemplateData"] == {"InstanceType": "t3.micro"}


def test_a_version_begins_with_the_data_of_another(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = make(rehearsal)
    version = ec2.create_launch_template_version(
        LaunchTemplateId=ident, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )["LaunchTemplateVersion"]
    assert (version["VersionNumber"], version["DefaultVersion"]) == (2, False)
    assert version["LaunchTemplateData"]["InstanceType"] == "t3.small"
    assert version["LaunchTemplateData"]["ImageId"] == image(rehearsal)


def test_versions_are_listed_newest_first(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = make(rehearsal)
    for number in range(11):
        ec2.create_launch_template_version(
            LaunchTemplateId=ident, LaunchTemplateData={"KeyName": f"key-{number}"}
        )

    def numbers(**more: Any) -> list[int]:
        answer = ec2.describe_launch_template_versions(LaunchTemplateId=ident, **more)
        return [one["VersionNumber"] for one in answer["LaunchTemplateVersions"]]

    assert numbers() == list(range(12, 0, -1))
    assert numbers(MinVersion="4", MaxVersion="6") == [6, 5, 4]
    assert numbers(Versions=["$Latest", "$Default", "1"]) == [12, 1]
    assert numbers(Filters=[{"Name": "is-default-version", "Values": ["true"]}]) == [1]
    pages = ec2.get_paginator("describe_launch_template_versions").paginate(
        LaunchTemplateId=ident, PaginationConfig={"PageSize": 5}
    )
    assert [len(one["LaunchTemplateVersions"]) for one in pages] == [5, 5, 2]


def test_the_default_of_all_templates(rehearsal: Rehearsal, ec2: Any) -> None:
    made = {make(rehearsal, "one-template"), make(rehearsal, "two-template")}
    answer = ec2.describe_launch_template_versions(Versions=["$Default"])
    assert {one["LaunchTemplateId"] for one in answer["LaunchTemplateVersions"]} == made
    assert refusal(ec2.describe_launch_template_versions) == "MissingParameter"


def test_deleted_numbers_are_not_given_again(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = make(rehearsal)
    ec2.create_launch_template_version(LaunchTemplateId=ident, LaunchTemplateData={"KeyName": "k"})
    answer = ec2.delete_launch_template_versions(LaunchTemplateId=ident, Versions=["1", "2", "7"])
    [done] = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    assert done["VersionNumber"] == 2
    failed = {
        one["VersionNumber"]: one["ResponseError"]["Code"]
        for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    }
    assert failed == {1: "unexpectedError", 7: "launchTemplateVersionDoesNotExist"}
    version = ec2.create_launch_template_version(
        LaunchTemplateId=ident, LaunchTemplateData={"KeyName": "k"}
    )["LaunchTemplateVersion"]
    assert version["VersionNumber"] == 3


def test_a_token_makes_one_template_and_one_version(rehearsal: Rehearsal, ec2: Any) -> None:
    wanted = {
        "LaunchTemplateName": "once",
        "ClientToken": "t",
        "LaunchTemplateData": {"KeyName": "k"},
    }
    first = ec2.create_launch_template(**wanted)["LaunchTemplate"]
    rehearsal.restart()
    assert ec2.create_launch_template(**wanted)["LaunchTemplate"] == first
    numbers = [
        ec2.create_launch_template_version(**wanted)["LaunchTemplateVersion"]["VersionNumber"]
        for _ in range(2)
    ]
    assert numbers == [2, 2]


def test_an_instance_takes_what_it_is_not_told(rehearsal: Rehearsal, ec2: Any) -> None:
    tags = [
        {
            "ResourceType": "instance",
            "Tags": [{"Key": "a", "Value": "template"}, {"Key": "b", "Value": "template"}],
        }
    ]
    ident = make(rehearsal, TagSpecifications=tags, DisableApiTermination=True)
    made = launch(
        rehearsal,
        LaunchTemplate={"LaunchTemplateId": ident},
        InstanceType="t3.small",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "call"}]}],
    )
    assert made["InstanceType"] == "t3.small"
    assert {one["Key"]: one["Value"] for one in made["Tags"]} == {
        "a": "template",
        "b": "call",
        "aws:ec2launchtemplate:id": ident,
        "aws:ec2launchtemplate:version": "1",
    }
    kept = ec2.describe_instance_attribute(
        InstanceId=made["InstanceId"], Attribute="disableApiTermination"
    )
    assert kept["DisableApiTermination"]["Value"] is True


def test_the_default_version_is_taken_unless_another_is_named(
    rehearsal: Rehearsal, ec2: Any
) -> None:
    ident = make(rehearsal)
    ec2.create_launch_template_version(
        LaunchTemplateId=ident, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    kinds = [
        launch(rehearsal, LaunchTemplate={"LaunchTemplateId": ident, **version})["InstanceType"]
        for version in ({}, {"Version": "$Latest"}, {"Version": "1"})
    ]
    assert kinds == ["t3.micro", "t3.small", "t3.micro"]
    ec2.modify_launch_template(LaunchTemplateId=ident, DefaultVersion="2")
    assert launch(rehearsal, LaunchTemplate={"LaunchTemplateName": "template"})["Tags"][1][
        "Value"
    ] == ("2")


def test_an_image_may_be_named_by_its_parameter(rehearsal: Rehearsal, ec2: Any) -> None:
    alias = f"resolve:ssm:{AMI}"
    ident = make(rehearsal, ImageId=alias)

    def shown(**more: Any) -> str:
        answer = ec2.describe_launch_template_versions(LaunchTemplateId=ident, **more)
        return str(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"])

    assert shown() == alias
    assert shown(ResolveAlias=True) == image(rehearsal)
    made = launch(rehearsal, LaunchTemplate={"LaunchTemplateId": ident})
    assert made["ImageId"] == image(rehearsal)
    made = launch(rehearsal, ImageId=alias, InstanceType="t3.micro")
    assert made["ImageId"] == image(rehearsal)


def test_the_template_of_an_instance_launches_its_like(rehearsal: Rehearsal, ec2: Any) -> None:
    made = launch(
        rehearsal,
        ImageId=image(rehearsal),
        InstanceType="t3.micro",
        UserData="#!/bin/sh\n",
        MetadataOptions={"HttpTokens": "required"},
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    rehearsal.advance(1)
    data = ec2.get_launch_template_data(InstanceId=made["InstanceId"])["LaunchTemplateData"]
    ec2.create_launch_template(LaunchTemplateName="of-instance", LaunchTemplateData=data)
    other = launch(rehearsal, LaunchTemplate={"LaunchTemplateName": "of-instance"})
    rehearsal.advance(1)
    first, second = (describe(rehearsal, one["InstanceId"]) for one in (made, other))
    for name in ("ImageId", "InstanceType", "SubnetId", "SecurityGroups", "MetadataOptions"):
        assert first[name] == second[name]
    assert len(second["BlockDeviceMappings"]) == 2
    assert {"Key": "a", "Value": "b"} in second["Tags"]


@pytest.mark.parametrize(
    ("call", "parameters", "code"),
    [
        (
            "describe_launch_templates",
            {"LaunchTemplateIds": [UNKNOWN]},
            "InvalidLaunchTemplateId.NotFound",
        ),
        (
            "describe_launch_templates",
            {"LaunchTemplateIds": ["nonsense"]},
            "InvalidLaunchTemplateId.Malformed",
        ),
        (
            "describe_launch_templates",
            {"LaunchTemplateNames": ["nobody"]},
            "InvalidLaunchTemplateName.NotFoundException",
        ),
        ("delete_launch_template", {}, "MissingParameter"),
        (
            "modify_launch_template",
            {"LaunchTemplateName": "template", "DefaultVersion": "9"},
            "InvalidLaunchTemplateId.VersionNotFound",
        ),
        (
            "modify_launch_template",
            {"LaunchTemplateName": "template", "LaunchTemplateId": UNKNOWN},
            "InvalidParameterCombination",
        ),
        (
            "create_launch_template",
            {"LaunchTemplateName": "template", "LaunchTemplateData": {"KeyName": "k"}},
            "InvalidLaunchTemplateName.AlreadyExistsException",
        ),
        (
            "create_launch_template",
            {"LaunchTemplateName": "not a name", "LaunchTemplateData": {"KeyName": "k"}},
            "InvalidLaunchTemplateName.MalformedException",
        ),
        (
            "run_instances",
            {
                "MinCount": 1,
                "MaxCount": 1,
                "LaunchTemplate": {"LaunchTemplateName": "template", "Version": "9"},
            },
            "InvalidLaunchTemplateId.VersionNotFound",
        ),
    ],
)
def test_refusals(
    rehearsal: Rehearsal, ec2: Any, call: str, parameters: dict[str, Any], code: str
) -> None:
    make(rehearsal)
    assert refusal(getattr(ec2, call), **parameters) == code


def test_a_deleted_template_is_gone(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = make(rehearsal)
    assert ec2.delete_launch_template(LaunchTemplateId=ident)["LaunchTemplate"][
        "LatestVersionNumber"
    ]
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    with pytest.raises(ClientError, match="does not exist"):
        launch(rehearsal, LaunchTemplate={"LaunchTemplateId": ident})


def test_the_tags_of_aws_stay_and_do_not_count(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = make(rehearsal)
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    made = launch(
        rehearsal,
        LaunchTemplate={"LaunchTemplateId": ident},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    ec2.create_tags(Resources=[made["InstanceId"]], Tags=[{"Key": "k1", "Value": "w"}])
    ec2.delete_tags(Resources=[made["InstanceId"]])
    left = {tag["Key"] for tag in describe(rehearsal, made["InstanceId"])["Tags"]}
    assert left == {"aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"}
