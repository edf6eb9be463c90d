"""Parameters in, answers out: held against botocore's own serialiser and parser."""

from __future__ import annotations

from typing import Any

import botocore.parsers
import botocore.serialize
import pytest

from runctl.localcloud.wire import answers
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import load_operation, load_service
from runctl.localcloud.wire.requests import parse_form, parse_json, parse_query
from runctl.localcloud.wire.validation import validate

ROLE = "arn:aws:iam::123456789012:role/r"
RUN = {
    "ImageId": "ami-1",
    "MinCount": 1,
    "MaxCount": 2,
    "EbsOptimized": True,
    "SecurityGroupIds": ["sg-1", "sg-2"],
    "TagSpecifications": [
        {"ResourceType": "instance", "Tags": [{"Key": "a b", "Value": "ü&="}]},
        {"ResourceType": "volume", "Tags": [{"Key": "k", "Value": ""}]},
    ],
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}],
    "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.1"}},
}


def sent(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, bytes]:
    """What botocore would send: the protocol, and the body."""
    model = load_operation(service, operation)
    assert model is not None
    protocol = load_service(service).metadata["protocol"]
    request = botocore.serialize.create_serializer(protocol).serialize_to_request(parameters, model)
    body = request["body"]
    if isinstance(body, dict):
        from urllib.parse import urlencode  # noqa: PLC0415

        return protocol, urlencode(body).encode()
    return protocol, body if isinstance(body, bytes) else body.encode()


def parsed(service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The same, read back by us."""
    model = load_operation(service, operation)
    assert model is not None
    protocol, body = sent(service, operation, parameters)
    if protocol == "json":
        return parse_json(model, body)
    return parse_query(model, parse_form(body), protocol)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "RunInstances", RUN),
        ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag:a", "Values": ["x", "y"]}]}),
        ("ec2", "CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "a", "Value": "b"}]}),
        (
            "iam",
            "CreateRole",
            {
                "RoleName": "r",
                "AssumeRolePolicyDocument": "{}",
                "Tags": [{"Key": "a", "Value": "b"}],
            },
        ),
        (
            "iam",
            "SimulatePrincipalPolicy",
            {
                "PolicySourceArn": "arn:aws:iam::123456789012:role/r",
                "ActionNames": ["s3:GetObject"],
                "ContextEntries": [
                    {
                        "ContextKeyName": "aws:key",
                        "ContextKeyValues": ["v"],
                        "ContextKeyType": "string",
                    }
                ],
            },
        ),
        (
            "sts",
            "AssumeRole",
            {"RoleArn": ROLE, "RoleSessionName": "name"},
        ),
        (
            "ssm",
            "SendCommand",
            {
                "DocumentName": "AWS-RunShellScript",
                "InstanceIds": ["i-1"],
                "Parameters": {"commands": ["echo 'ü'", "exit 3"]},
                "TimeoutSeconds": 30,
            },
        ),
        ("ecr", "CreateRepository", {"repositoryName": "repo", "imageTagMutability": "MUTABLE"}),
    ],
)
def test_parameters_arrive_as_they_were_given(
    service: str, operation: str, parameters: dict[str, Any]
) -> None:
    assert parsed(service, operation, parameters) == parameters


def test_an_unknown_parameter_is_named() -> None:
    model = load_operation("ec2", "DescribeInstances")
    assert model is not None
    with pytest.raises(AwsError) as error:
        parse_query(model, {"Nonsense.1": "x"}, "ec2")
    assert error.value.code == "UnknownParameter"
    assert "Nonsense" in error.value.message


@pytest.mark.parametrize("value", ["yes", "two"])
def test_an_ill_formed_scalar_is_refused(value: str) -> None:
    model = load_operation("ec2", "RunInstances")
    assert model is not None
    name = "DryRun" if value == "yes" else "MinCount"
    with pytest.raises(AwsError) as error:
        parse_query(model, {name: value}, "ec2")
    assert error.value.code == "InvalidParameterValue"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"InstanceIds": "i-1"}', b"\xff"])
def test_a_body_that_is_no_document_is_refused(body: bytes) -> None:
    model = load_operation("ssm", "SendCommand")
    assert model is not None
    with pytest.raises(AwsError) as error:
        parse_json(model, body)
    assert error.value.code == "SerializationException"


INSTANCE = {
    "InstanceId": "i-1",
    "LaunchTime": 1_800_000_000.0,
    "EbsOptimized": False,
    "State": {"Code": 16, "Name": "running"},
    "Tags": [{"Key": "<&>", "Value": 'ü"'}],
    "SecurityGroups": [],
    "_Private": "never told",
    "KeyName": None,
}


def read_back(service: str, operation: str, body: bytes) -> dict[str, Any]:
    model = load_operation(service, operation)
    assert model is not None
    protocol = load_service(service).metadata["protocol"]
    parser = botocore.parsers.create_parser(protocol)
    response = {"status_code": 200, "headers": {}, "body": body}
    found: dict[str, Any] = parser.parse(response, model.output_shape)
    found.pop("ResponseMetadata", None)
    return found


def test_ec2_answers_are_read_by_botocore() -> None:
    model = load_operation("ec2", "DescribeInstances")
    assert model is not None
    answer = {"Reservations": [{"ReservationId": "r-1", "Instances": [INSTANCE, INSTANCE]}]}
    body = answers.write_ec2(model, answer, "id")
    assert b"never told" not in body
    found = read_back("ec2", "DescribeInstances", body)
    instance = found["Reservations"][0]["Instances"][1]
    assert instance["Tags"] == INSTANCE["Tags"]
    assert instance["State"] == INSTANCE["State"]
    assert instance["EbsOptimized"] is False
    assert instance["SecurityGroups"] == []
    assert instance["LaunchTime"].timestamp() == INSTANCE["LaunchTime"]
    assert "KeyName" not in instance


def test_query_answers_are_read_by_botocore() -> None:
    model = load_operation("iam", "ListRoles")
    assert model is not None
    role = {"RoleName": "r", "Arn": "a", "CreateDate": 1_800_000_000.0, "MaxSessionDuration": 3600}
    body = answers.write_query(model, {"Roles": [role], "IsTruncated": False}, "id")
    found = read_back("iam", "ListRoles", body)
    assert found["Roles"][0]["RoleName"] == "r"
    assert found["Roles"][0]["MaxSessionDuration"] == 3600
    assert found["IsTruncated"] is False


def test_maps_of_query_answers() -> None:
    model = load_operation("iam", "GetAccountSummary")
    assert model is not None
    body = answers.write_query(model, {"SummaryMap": {"Users": 3, "Roles": 4}}, "id")
    assert read_back("iam", "GetAccountSummary", body)["SummaryMap"] == {"Users": 3, "Roles": 4}


def test_json_answers_are_read_by_botocore() -> None:
    model = load_operation("ssm", "SendCommand")
    assert model is not None
    command = {"CommandId": "c", "RequestedDateTime": 1_800_000_000.0, "_Private": 1}
    body = answers.write_json(model, {"Command": command})
    assert b"_Private" not in body
    found = read_back("ssm", "SendCommand", body)["Command"]
    assert found["RequestedDateTime"].timestamp() == 1_800_000_000.0


def test_missing_parameters_have_the_words_of_the_service() -> None:
    with pytest.raises(AwsError) as error:
        validate("ec2", "RunInstances", {"MinCount": 1})
    assert (error.value.code, "maxCount" in error.value.message) == ("MissingParameter", True)
    with pytest.raises(AwsError) as error:
        validate("ssm", "SendCommand", {})
    assert error.value.code == "ValidationException"
    with pytest.raises(AwsError) as error:
        validate("iam", "CreateRole", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"})
    assert error.value.code == "ValidationError"
    assert "less than or equal to 64" in error.value.message


def test_values_outside_an_enumeration() -> None:
    with pytest.raises(AwsError) as error:
        validate("ec2", "DescribeInstanceAttribute", {"InstanceId": "i-1", "Attribute": "x"})
    assert error.value.code == "InvalidParameterValue"
    assert error.value.message == "Value (x) for parameter attribute is invalid."
