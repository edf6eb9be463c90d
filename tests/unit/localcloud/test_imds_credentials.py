"""Credentials of an instance's role, as the instance and as botocore read them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import botocore.awsrequest
import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from tests.unit.localcloud.conftest import ACCOUNT, REGION, Raw, Rehearsal
from tests.unit.localcloud.test_imds import EC2_TRUST, IDENT, Inside, change_instance, put_instance


@pytest.fixture
def inside(rehearsal: Rehearsal) -> Inside:
    put_instance(rehearsal)
    return Inside(rehearsal)


def give_profile(rehearsal: Rehearsal, trust: str = EC2_TRUST) -> None:
    iam = rehearsal.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="worker-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="worker-profile", RoleName="worker")
    rehearsal.advance(5)
    rehearsal.client("ec2").associate_iam_instance_profile(
        IamInstanceProfile={"Name": "worker-profile"}, InstanceId=IDENT
    )


def credentials(inside: Inside) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(inside.read("iam/security-credentials/worker"))
    return found


def test_role_credentials_are_a_session_of_the_role(rehearsal: Rehearsal, inside: Inside) -> None:
    give_profile(rehearsal)
    assert inside.read("iam/") == "info\nsecurity-credentials/"
    assert inside.read("iam/security-credentials/") == "worker"
    told = credentials(inside)
    assert told["Code"] == "Success"
    assert told["AccessKeyId"].startswith("ASIA")
    identity = rehearsal.cloud.identity
    who = identity.principal(identity.find(told["AccessKeyId"]), told["Token"])
    assert who.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/{IDENT}"
    info = json.loads(inside.read("iam/info"))
    assert info["InstanceProfileArn"].endswith(":instance-profile/worker-profile")


def test_credentials_are_renewed_before_their_end(rehearsal: Rehearsal, inside: Inside) -> None:
    give_profile(rehearsal)
    first = credentials(inside)
    rehearsal.restart()
    assert credentials(inside) == first
    rehearsal.advance(5 * 3600 + 1)
    second = credentials(inside)
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert second["Expiration"] > first["Expiration"]
    old = rehearsal.cloud.identity.find(first["AccessKeyId"])
    assert rehearsal.cloud.identity.principal(old, first["Token"]).role == "worker"


def test_role_that_does_not_trust_ec2(rehearsal: Rehearsal, inside: Inside) -> None:
    give_profile(rehearsal, EC2_TRUST.replace("ec2.", "ecs-tasks."))
    assert credentials(inside)["Code"] == "AssumeRoleUnauthorizedAccess"


def test_profile_that_is_gone(rehearsal: Rehearsal, inside: Inside) -> None:
    give_profile(rehearsal)
    iam = rehearsal.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="worker-profile", RoleName="worker")
    assert inside.status("iam/security-credentials/") == 404
    iam.delete_instance_profile(InstanceProfileName="worker-profile")
    assert json.loads(inside.read("iam/info"))["Code"] == "InstanceProfileNotFound"


# ---------------------------------------------------------------- botocore, unchanged


class Wire:
    """Stands where botocore has its connections."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def send(self, request: Any) -> botocore.awsrequest.AWSResponse:
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        answer = self._inside.ask(urlsplit(request.url).path, request.method, **headers)
        assert isinstance(answer.body, bytes)
        return botocore.awsrequest.AWSResponse(
            request.url, answer.status, answer.headers, Raw(answer.body)
        )


def test_botocore_finds_credentials_and_region(rehearsal: Rehearsal, inside: Inside) -> None:
    give_profile(rehearsal)
    change_instance(rehearsal, MetadataOptions={"HttpTokens": "required"})
    fetcher = InstanceMetadataFetcher()
    fetcher._session = Wire(inside)
    found = fetcher.retrieve_iam_role_credentials()
    assert found["role_name"] == "worker"
    identity = rehearsal.cloud.identity
    who = identity.principal(identity.find(found["access_key"]), found["token"])
    assert who.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/{IDENT}"
    regions = InstanceMetadataRegionFetcher()
    regions._session = Wire(inside)
    assert regions.retrieve_region() == REGION


def test_botocore_finds_nothing_without_a_profile(inside: Inside) -> None:
    fetcher = InstanceMetadataFetcher(num_attempts=1)
    fetcher._session = Wire(inside)
    assert fetcher.retrieve_iam_role_credentials() == {}
