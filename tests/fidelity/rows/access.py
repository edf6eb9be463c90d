"""Who may do what: STS, the refusals of each service, and what EC2 says of profiles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fidelity.iam_things import (
    NOWHERE,
    account_trust,
    make_key,
    make_role,
    make_user,
    policy,
    role,
)
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import wait_until

NO_ASSOCIATION = "iip-assoc-0123456789abcdef0"


def sts(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    entry = "".join(word.capitalize() for word in call.split("_"))
    return Row(says, "sts", call, parameters, outcome, f"AWS STS API Reference, {entry}")


def taking(role_arn: Callable[[World], str], **more: Any) -> Parameters:
    return lambda w: {"RoleArn": role_arn(w), "RoleSessionName": "fidelity", **more}


def arn_in(world: World, name: str) -> str:
    return f"arn:aws:iam::{world.account}:role/{name}"


SESSIONS = [
    sts("who calls is told by account, id and ARN", "get_caller_identity", {},
        Answered(lambda a: a["UserId"] and a["Account"] in a["Arn"])),
    sts("an unknown role is refused like a forbidden one", "assume_role",
        taking(lambda w: arn_in(w, NOWHERE)), Refused("AccessDenied", "sts:AssumeRole", 403)),
    sts("a role that trusts EC2 alone is not given to users", "assume_role",
        taking(lambda w: arn_in(w, role(w))), Refused("AccessDenied", "sts:AssumeRole", 403)),
    sts("a session lasts twelve hours at the very most", "assume_role",
        taking(lambda w: arn_in(w, role(w)), DurationSeconds=43201),
        Refused("ValidationError", "", 400)),
    sts("only AWS's own messages are decoded", "decode_authorization_message",
        {"EncodedMessage": "nonsense"},
        Refused("InvalidAuthorizationMessageException", "", 400)),
]  # fmt: skip


def ec2(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    entry = "".join(word.capitalize() for word in call.split("_"))
    return Row(says, "ec2", call, parameters, outcome, f"EC2 API Reference, {entry}")


def launching(world: World, **specification: str) -> dict[str, Any]:
    return {
        "ImageId": world.image,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "IamInstanceProfile": specification,
    }


def of_instance(world: World) -> dict[str, Any]:
    return {"Filters": [{"Name": "instance-id", "Values": [world.instance]}]}


ASSOCIATIONS = [
    ec2("an instance is not launched with an unknown profile", "run_instances",
        lambda w: launching(w, Name=NOWHERE),
        Refused("InvalidParameterValue", "Invalid IAM Instance Profile name", 400)),
    ec2("nor with an unknown ARN of a profile", "run_instances",
        lambda w: launching(w, Arn=f"arn:aws:iam::{w.account}:instance-profile/{NOWHERE}"),
        Refused("InvalidParameterValue", "Invalid IAM Instance Profile ARN", 400)),
    ec2("nor with a name and an ARN", "run_instances",
        lambda w: launching(w, Name=NOWHERE,
                            Arn=f"arn:aws:iam::{w.account}:instance-profile/{NOWHERE}"),
        Refused("InvalidParameterCombination", "", 400)),
    ec2("the profile of a launch is an association", "describe_iam_instance_profile_associations",
        of_instance,
        Answered(lambda a: [one["State"] for one in a["IamInstanceProfileAssociations"]]
                 == ["associated"])),
    ec2("an instance has one profile", "associate_iam_instance_profile",
        lambda w: {"InstanceId": w.instance, "IamInstanceProfile": {"Name": w.profile}},
        Refused("IncorrectState", "existing association", 400)),
    ec2("an unknown association is not ended", "disassociate_iam_instance_profile",
        {"AssociationId": NO_ASSOCIATION}, Refused("InvalidAssociationID.NotFound", "", 400)),
    ec2("an unknown association is not replaced", "replace_iam_instance_profile_association",
        lambda w: {"AssociationId": NO_ASSOCIATION, "IamInstanceProfile": {"Name": w.profile}},
        Refused("InvalidAssociationID.NotFound", "", 400)),
]  # fmt: skip

ROWS = [*SESSIONS, *ASSOCIATIONS]


# ---------------------------------------------------------------- stories


def session_of(world: World, key: Any) -> boto3.Session:
    return boto3.Session(
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key.get("SessionToken"),
        region_name=world.region,
    )


def client_of(world: World, key: Any, service: str) -> Any:
    """Return a client with other credentials, for the same cloud."""
    make: Any = session_of(world, key).client
    return make(service, endpoint_url=world.client(service).meta.endpoint_url)


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def limited_user(world: World) -> None:
    iam, name = world.client("iam"), make_user(world)
    allowed = policy({"Action": "ec2:DescribeRegions"})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowed)
    world.later(lambda: iam.delete_user_policy(UserName=name, PolicyName="own"))
    key = make_key(world, name)
    limited = client_of(world, key, "ec2")
    wait_until(lambda: code_of(limited.describe_regions) == "", "the key never became known")
    with pytest.raises(ClientError) as error:
        limited.describe_volumes()
    response: Any = error.value.response
    assert response["Error"]["Code"] == "UnauthorizedOperation"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "perform: ec2:DescribeVolumes" in response["Error"]["Message"]
    assert code_of(client_of(world, key, "iam").list_roles) == "AccessDenied"
    assert code_of(client_of(world, key, "ssm").describe_parameters) == "AccessDeniedException"
    assert code_of(client_of(world, key, "s3").list_buckets) == "AccessDenied"
    identity = client_of(world, key, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{world.account}:user/{name}"


def refusal_is_decoded(world: World) -> None:
    name = make_user(world)
    key = make_key(world, name)
    limited = client_of(world, key, "ec2")
    wait_until(lambda: code_of(limited.describe_vpcs) == "UnauthorizedOperation", "no such key")
    with pytest.raises(ClientError) as error:
        limited.create_volume(AvailabilityZone=f"{world.region}a", Size=1, VolumeType="gp3")
    message = error.value.response["Error"]["Message"]
    encoded = message.rpartition("failure message: ")[2]
    told = world.client("sts").decode_authorization_message(EncodedMessage=encoded)
    report = json.loads(told["DecodedMessage"])
    assert report["allowed"] is False
    assert report["context"]["action"] == "ec2:CreateVolume"


def role_is_taken(world: World) -> None:
    document = account_trust(world, Condition={"StringEquals": {"sts:ExternalId": "fidelity"}})
    name = make_role(world, document)
    sts_client, arn = world.client("sts"), arn_in(world, name)
    parameters = {"RoleArn": arn, "RoleSessionName": "me", "ExternalId": "fidelity"}
    wait_until(lambda: code_of(lambda: sts_client.assume_role(**parameters)) == "", "never")
    answer = sts_client.assume_role(**parameters)
    key = answer["Credentials"]
    assert key["AccessKeyId"].startswith("ASIA")
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    identity = client_of(world, key, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{world.account}:assumed-role/{name}/me"
    other = {**parameters, "ExternalId": "other"}
    assert code_of(lambda: sts_client.assume_role(**other)) == "AccessDenied"
    long = {**parameters, "DurationSeconds": 7200}
    assert code_of(lambda: sts_client.assume_role(**long)) == "ValidationError"
    wrong = {**key, "SessionToken": "nonsense"}
    assert code_of(client_of(world, wrong, "sts").get_caller_identity) == "InvalidClientTokenId"


def profile_is_replaced(world: World) -> None:
    client = world.client("ec2")

    def known() -> Any:
        found = client.describe_iam_instance_profile_associations(**of_instance(world))
        return found["IamInstanceProfileAssociations"][0]

    answer = client.replace_iam_instance_profile_association(
        AssociationId=known()["AssociationId"], IamInstanceProfile={"Name": world.profile}
    )["IamInstanceProfileAssociation"]
    assert answer["State"] == "associating"
    wait_until(lambda: known()["AssociationId"] == answer["AssociationId"], "it was not replaced")
    wait_until(lambda: known()["State"] == "associated", "it was never associated")


STORIES = [
    Story("a profile is associating, and then associated", profile_is_replaced,
          "EC2 API Reference, ReplaceIamInstanceProfileAssociation"),
    Story("a limited user is refused in each service's words", limited_user,
          "IAM User Guide, Troubleshoot access denied error messages"),
    Story("EC2's refusal can be decoded", refusal_is_decoded,
          "AWS STS API Reference, DecodeAuthorizationMessage"),
    Story("a role is taken by who knows its external id", role_is_taken,
          "AWS STS API Reference, AssumeRole"),
]  # fmt: skip
