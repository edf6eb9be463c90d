"""Parameters: public ones, and one's own with versions, labels, tiers and tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal

LATEST = "/aws/service/ami-amazon-linux-latest"
REGIONS = "/aws/service/global-infrastructure/regions"


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def put(rehearsal: Rehearsal, name: str, value: str = "v", **more: Any) -> Any:
    given = {"Name": name, "Value": value, "Type": "String", **more}
    return rehearsal.client("ssm").put_parameter(**given)


def get(rehearsal: Rehearsal, name: str, **more: Any) -> Any:
    return rehearsal.client("ssm").get_parameter(Name=name, **more)["Parameter"]


def below(rehearsal: Rehearsal, path: str, **more: Any) -> list[str]:
    pages = rehearsal.client("ssm").get_paginator("get_parameters_by_path")
    return [one["Name"] for page in pages.paginate(Path=path, **more) for one in page["Parameters"]]


def described(rehearsal: Rehearsal, **wanted: Any) -> list[str]:
    found = rehearsal.client("ssm").describe_parameters(ParameterFilters=[wanted])
    return [one["Name"] for one in found["Parameters"]]


def test_images_have_public_parameters(rehearsal: Rehearsal) -> None:
    found = get(rehearsal, f"{LATEST}/al2023-ami-kernel-default-arm64")
    assert found["Value"].startswith("ami-")
    assert found["ARN"] == f"arn:aws:ssm:us-east-1::parameter{found['Name']}"
    ubuntu = "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
    assert get(rehearsal, ubuntu)["DataType"] == "aws:ec2:image"
    names = below(rehearsal, LATEST)
    assert f"{LATEST}/al2023-ami-kernel-6.1-x86_64" in names
    assert len(names) > 10  # more than a page


def test_regions_have_public_parameters(rehearsal: Rehearsal) -> None:
    assert get(rehearsal, f"{REGIONS}/eu-central-1/longName")["Value"] == "Europe (Frankfurt)"
    assert "us-west-2" in {name.rpartition("/")[2] for name in below(rehearsal, REGIONS)}
    zones = below(rehearsal, f"{REGIONS}/us-east-1/availability-zones")
    assert len(zones) == 6


def test_public_parameters_are_not_ones_own(rehearsal: Rehearsal) -> None:
    ssm = rehearsal.client("ssm")
    assert ssm.describe_parameters()["Parameters"] == []
    name = f"{LATEST}/al2023-ami-kernel-default-arm64"
    assert refusal(ssm.delete_parameter, Name=name)[0] == "ParameterNotFound"


def test_a_parameter_is_set_read_and_deleted(rehearsal: Rehearsal) -> None:
    assert put(rehearsal, "/app/size", "3")["Version"] == 1
    rehearsal.restart()
    found = get(rehearsal, "/app/size")
    assert (found["Value"], found["Type"], found["Version"]) == ("3", "String", 1)
    assert found["ARN"] == f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/app/size"
    assert get(rehearsal, found["ARN"])["Value"] == "3"
    ssm = rehearsal.client("ssm")
    ssm.delete_parameter(Name="/app/size")
    assert refusal(ssm.get_parameter, Name="/app/size") == ("ParameterNotFound", "")
    assert put(rehearsal, "/app/size")["Version"] == 1


def test_a_parameter_is_overwritten_only_if_that_is_said(rehearsal: Rehearsal) -> None:
    put(rehearsal, "plain", "1", Description="words")
    again = {"Name": "plain", "Value": "2", "Type": "String"}
    ssm = rehearsal.client("ssm")
    assert refusal(ssm.put_parameter, **again)[0] == "ParameterAlreadyExists"
    assert put(rehearsal, "plain", "2", Overwrite=True)["Version"] == 2
    assert get(rehearsal, "plain")["Value"] == "2"
    assert get(rehearsal, "plain:1")["Value"] == "1"
    assert get(rehearsal, "plain:1")["Selector"] == ":1"
    assert refusal(ssm.get_parameter, Name="plain:7") == (
        "ParameterVersionNotFound",
        "Systems Manager could not find version 7 of plain. Verify the version and try again.",
    )
    versions = ssm.get_parameter_history(Name="plain")["Parameters"]
    assert [(one["Version"], one["Value"]) for one in versions] == [(1, "1"), (2, "2")]
    assert versions[1]["Description"] == "words"


def test_labels_name_versions_and_move(rehearsal: Rehearsal) -> None:
    put(rehearsal, "plain", "1")
    put(rehearsal, "plain", "2", Overwrite=True)
    ssm = rehearsal.client("ssm")
    answer = ssm.label_parameter_version(Name="plain", ParameterVersion=1, Labels=["good", "1bad"])
    assert (answer["InvalidLabels"], answer["ParameterVersion"]) == (["1bad"], 1)
    assert get(rehearsal, "plain:good")["Value"] == "1"
    ssm.label_parameter_version(Name="plain", Labels=["good"])
    assert get(rehearsal, "plain:good")["Value"] == "2"
    gone = ssm.unlabel_parameter_version(Name="plain", ParameterVersion=2, Labels=["good", "other"])
    assert (gone["RemovedLabels"], gone["InvalidLabels"]) == (["good"], ["other"])
    assert refusal(ssm.get_parameter, Name="plain:good")[0] == "ParameterVersionNotFound"


def test_a_secret_is_told_only_decrypted(rehearsal: Rehearsal) -> None:
    put(rehearsal, "/app/secret", "hidden", Type="SecureString")
    told = get(rehearsal, "/app/secret")
    assert "hidden" not in told["Value"]
    assert told["Value"].startswith("AQIC")
    assert get(rehearsal, "/app/secret", WithDecryption=True)["Value"] == "hidden"
    [listed] = rehearsal.client("ssm").describe_parameters()["Parameters"]
    assert listed["KeyId"] == "alias/aws/ssm"
    assert "Value" not in listed
    history = rehearsal.client("ssm").get_parameter_history(Name="/app/secret")
    assert "hidden" not in history["Parameters"][0]["Value"]
    change = {"Name": "/app/secret", "Value": "x", "Type": "String", "Overwrite": True}
    assert refusal(rehearsal.client("ssm").put_parameter, **change)[0] == (
        "HierarchyTypeMismatchException"
    )


def test_several_are_read_and_deleted_at_once(rehearsal: Rehearsal) -> None:
    put(rehearsal, "a")
    put(rehearsal, "b")
    ssm = rehearsal.client("ssm")
    answer = ssm.get_parameters(Names=["a", "missing", "b:9"])
    assert [one["Name"] for one in answer["Parameters"]] == ["a"]
    assert answer["InvalidParameters"] == ["missing", "b:9"]
    gone = ssm.delete_parameters(Names=["a", "missing", "b"])
    assert (gone["DeletedParameters"], gone["InvalidParameters"]) == (["a", "b"], ["missing"])


def test_paths_are_walked_flat_and_deep(rehearsal: Rehearsal) -> None:
    for name in ("/app/a", "/app/b/c", "/apple", "app"):
        put(rehearsal, name)
    assert below(rehearsal, "/app") == ["/app/a"]
    assert below(rehearsal, "/app/", Recursive=True) == ["/app/a", "/app/b/c"]
    by_path = rehearsal.client("ssm").get_parameters_by_path
    assert refusal(by_path, Path="app")[0] == "ValidationException"
    wanted = [{"Key": "Name", "Values": ["x"]}]
    assert refusal(by_path, Path="/app", ParameterFilters=wanted)[0] == "InvalidFilterKey"
    assert refusal(by_path, Path="/app", NextToken="nonsense")[0] == "InvalidNextToken"
    for number in range(12):
        put(rehearsal, f"/many/{number:02}")
    assert len(by_path(Path="/many")["Parameters"]) == 10
    assert len(below(rehearsal, "/many")) == 12


def test_parameters_are_described_by_filters(rehearsal: Rehearsal) -> None:
    put(rehearsal, "/app/a", Tags=[{"Key": "team", "Value": "x"}])
    put(rehearsal, "/app/b/c", "1,2", Type="StringList")
    assert described(rehearsal, Key="Name", Option="Contains", Values=["b"]) == ["/app/b/c"]
    assert described(rehearsal, Key="Name", Option="BeginsWith", Values=["/app"]) == [
        "/app/a",
        "/app/b/c",
    ]
    assert described(rehearsal, Key="Type", Values=["StringList"]) == ["/app/b/c"]
    assert described(rehearsal, Key="tag:team", Values=["x"]) == ["/app/a"]
    assert described(rehearsal, Key="Path", Option="OneLevel", Values=["/app"]) == ["/app/a"]
    assert len(described(rehearsal, Key="Path", Option="Recursive", Values=["/app"])) == 2
    describe = rehearsal.client("ssm").describe_parameters
    bad = [{"Key": "Name", "Option": "Sounds", "Values": ["x"]}]
    assert refusal(describe, ParameterFilters=bad)[0] == "InvalidFilterOption"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("/aws/mine", "AccessDeniedException", "No access to reserved parameter name"),
        ("/AWS-mine/x", "AccessDeniedException", "No access to reserved parameter name"),
        ("aws-mine", "ValidationException", "can't be prefixed with"),
        ("/ssm/mine", "ValidationException", 'can\'t be prefixed with "ssm"'),
        ("app/mine", "ValidationException", "Parameter name must be a fully qualified name"),
        ("/app/two words", "ValidationException", "mix of letters, numbers"),
        ("/a" * 16, "HierarchyLevelLimitExceededException", ""),
    ],
)
def test_names_are_checked(rehearsal: Rehearsal, name: str, code: str, words: str) -> None:
    given = {"Name": name, "Value": "v", "Type": "String"}
    found = refusal(rehearsal.client("ssm").put_parameter, **given)
    assert found[0] == code
    assert words in found[1]


def test_values_are_checked(rehearsal: Rehearsal) -> None:
    ssm = rehearsal.client("ssm")
    base = {"Name": "p", "Type": "String"}
    assert refusal(ssm.put_parameter, **base, Value="")[0] == "ValidationException"
    code, words = refusal(ssm.put_parameter, **base, Value="x" * 4097)
    assert code == "ValidationException"
    assert "Standard tier parameters support a maximum parameter value of 4096" in words
    wrong = {**base, "Value": "abc", "AllowedPattern": "^[0-9]+$"}
    assert refusal(ssm.put_parameter, **wrong)[0] == "ParameterPatternMismatchException"
    assert refusal(ssm.put_parameter, Name="p", Value="v") == (
        "ValidationException",
        "A parameter type is required when you create a parameter.",
    )
    both = {**base, "Value": "v", "Overwrite": True, "Tags": [{"Key": "k", "Value": "v"}]}
    assert "tags and overwrite can't be used together" in refusal(ssm.put_parameter, **both)[1]


def test_large_values_go_to_the_advanced_tier_and_stay_there(rehearsal: Rehearsal) -> None:
    assert put(rehearsal, "p", "x" * 5000, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    assert put(rehearsal, "p", "x", Overwrite=True)["Tier"] == "Advanced"
    back = {"Name": "p", "Value": "x", "Tier": "Standard", "Overwrite": True}
    assert "can't downgrade" in refusal(rehearsal.client("ssm").put_parameter, **back)[1]
    assert put(rehearsal, "q", "x", Tier="Intelligent-Tiering")["Tier"] == "Standard"


def test_a_hundred_versions_are_kept(rehearsal: Rehearsal) -> None:
    for number in range(101):
        put(rehearsal, "p", str(number), Overwrite=True)
    ssm = rehearsal.client("ssm")
    assert refusal(ssm.get_parameter, Name="p:1")[0] == "ParameterVersionNotFound"
    assert get(rehearsal, "p:2")["Value"] == "1"
    ssm.label_parameter_version(Name="p", ParameterVersion=2, Labels=["kept"])
    more = {"Name": "p", "Value": "x", "Overwrite": True}
    assert refusal(ssm.put_parameter, **more)[0] == "ParameterMaxVersionLimitExceeded"


def test_parameters_are_tagged(rehearsal: Rehearsal) -> None:
    put(rehearsal, "/app/a", Tags=[{"Key": "team", "Value": "x"}])
    ssm = rehearsal.client("ssm")
    thing = {"ResourceType": "Parameter", "ResourceId": "/app/a"}
    ssm.add_tags_to_resource(**thing, Tags=[{"Key": "k", "Value": "v"}])
    assert ssm.list_tags_for_resource(**thing)["TagList"] == [
        {"Key": "team", "Value": "x"},
        {"Key": "k", "Value": "v"},
    ]
    ssm.remove_tags_from_resource(**thing, TagKeys=["team"])
    assert ssm.list_tags_for_resource(**thing)["TagList"] == [{"Key": "k", "Value": "v"}]
    unknown = {**thing, "ResourceId": "/app/missing"}
    assert refusal(ssm.list_tags_for_resource, **unknown)[0] == "InvalidResourceId"
    other = {"ResourceType": "Document", "ResourceId": "x"}
    assert refusal(ssm.list_tags_for_resource, **other)[0] == "InvalidResourceType"
