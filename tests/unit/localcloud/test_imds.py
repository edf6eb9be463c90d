"""The instance metadata service, as an instance sees it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.imds import Metadata
from tests.unit.localcloud.conftest import ACCOUNT, REGION, Bytes, Rehearsal

IDENT = "i-0123456789abcdef0"
EC2_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
TTL = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "x-aws-ec2-metadata-token"


class Inside:
    """What a process in the instance sees."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def ask(self, path: str, method: str = "GET", via: str = IDENT, **headers: str) -> Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(method, path, "", given, Bytes(b""), via)
        return Metadata(self._rehearsal.cloud).respond(request)

    def read(self, path: str) -> str:
        answer = self.ask(f"/latest/meta-data/{path}")
        assert answer.status == 200, answer
        assert isinstance(answer.body, bytes)
        return answer.body.decode()

    def status(self, path: str) -> int:
        return self.ask(f"/latest/meta-data/{path}").status

    def token(self, seconds: int = 60, via: str = IDENT) -> str:
        answer = self.ask("/latest/api/token", "PUT", via, **{TTL: str(seconds)})
        assert isinstance(answer.body, bytes)
        return answer.body.decode()


def put_instance(rehearsal: Rehearsal, ident: str = IDENT, **members: Any) -> None:
    instance = {
        "InstanceId": ident,
        "ImageId": "ami-0123456789abcdef0",
        "InstanceType": "g5.xlarge",
        "Architecture": "x86_64",
        "LaunchTime": 1_800_000_000.0,
        "State": {"Code": 16, "Name": "running"},
        "Placement": {"AvailabilityZone": "us-east-1b"},
        "PrivateIpAddress": "10.64.0.4",
        "PrivateDnsName": "ip-10-64-0-4.ec2.internal",
        "PublicIpAddress": "54.1.2.3",
        "PublicDnsName": "ec2-54-1-2-3.compute-1.amazonaws.com",
        "SubnetId": "subnet-0123456789abcdef0",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda"}, {"DeviceName": "/dev/sdf"}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "one"}],
        "NetworkInterfaces": [{"MacAddress": "02:00:00:00:00:04", "SubnetId": "subnet-1"}],
        "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
        "KeyName": "mine",
        "_PublicKey": "ssh-ed25519 AAAA mine",
        "_ReservationId": "r-1",
        "_UserData": base64.b64encode(b"#!/bin/sh\nexit\n").decode(),
        "Tags": [{"Key": "runctl:run", "Value": "r1"}],
        **members,
    }
    with rehearsal.cloud.records.transaction() as transaction:
        transaction.table("instance", REGION).put(ident, instance)


def change_instance(rehearsal: Rehearsal, **members: Any) -> None:
    with rehearsal.cloud.records.transaction() as transaction:
        transaction.table("instance", REGION).edit(IDENT).update(members)


@pytest.fixture
def inside(rehearsal: Rehearsal) -> Inside:
    put_instance(rehearsal)
    return Inside(rehearsal)


# ---------------------------------------------------------------- tokens


def test_token_opens_an_instance_that_requires_one(rehearsal: Rehearsal, inside: Inside) -> None:
    change_instance(rehearsal, MetadataOptions={"HttpTokens": "required"})
    assert inside.ask("/latest/meta-data/ami-id").status == 401
    answer = inside.ask("/latest/meta-data/ami-id", **{TOKEN: inside.token(60)})
    assert (answer.status, answer.body) == (200, b"ami-0123456789abcdef0")
    assert answer.headers[TTL] == "60"


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "soon", "", "1.5"])
def test_bad_lifetime_of_a_token(inside: Inside, ttl: str) -> None:
    assert inside.ask("/latest/api/token", "PUT", **{TTL: ttl}).status == 400


def test_token_without_a_lifetime(inside: Inside) -> None:
    assert inside.ask("/latest/api/token", "PUT").status == 400


def test_token_is_not_given_through_a_proxy(inside: Inside) -> None:
    answer = inside.ask("/latest/api/token", "PUT", **{TTL: "60", "x-forwarded-for": "10.0.0.1"})
    assert answer.status == 403


def test_token_is_over_at_its_end(rehearsal: Rehearsal, inside: Inside) -> None:
    token = inside.token(60)
    rehearsal.advance(59)
    assert inside.ask("/latest/meta-data/ami-id", **{TOKEN: token}).status == 200
    rehearsal.advance(1)
    assert inside.ask("/latest/meta-data/ami-id", **{TOKEN: token}).status == 401


def test_token_of_another_instance(rehearsal: Rehearsal, inside: Inside) -> None:
    put_instance(rehearsal, "i-00000000000000001")
    token = inside.token(60, via="i-00000000000000001")
    assert inside.ask("/latest/meta-data/ami-id", **{TOKEN: token}).status == 401


@pytest.mark.parametrize("token", ["nonsense", "AQ==", "é"])
def test_bad_token_is_refused_where_none_is_needed(inside: Inside, token: str) -> None:
    assert inside.ask("/latest/meta-data/ami-id", **{TOKEN: token}).status == 401


def test_token_outlives_the_cloud(rehearsal: Rehearsal, inside: Inside) -> None:
    token = inside.token(60)
    rehearsal.restart()
    assert inside.ask("/latest/meta-data/ami-id", **{TOKEN: token}).status == 200


def test_switched_off(rehearsal: Rehearsal, inside: Inside) -> None:
    change_instance(rehearsal, MetadataOptions={"HttpEndpoint": "disabled"})
    assert inside.ask("/latest/meta-data/ami-id").status == 403
    assert inside.ask("/latest/api/token", "PUT", **{TTL: "60"}).status == 403


def test_methods(inside: Inside) -> None:
    assert inside.ask("/latest/meta-data/ami-id", "POST").status == 405
    assert inside.ask("/latest/meta-data/ami-id", "PUT").status == 405
    assert inside.ask("/latest/api/token").status == 405


def test_nobody_in_particular(inside: Inside) -> None:
    assert inside.ask("/latest/meta-data/", via="i-00000000000000009").status == 404


# ---------------------------------------------------------------- the tree


def test_listings(inside: Inside) -> None:
    assert inside.ask("/latest/").body == b"dynamic/\nmeta-data/\nuser-data"
    names = inside.read("").split("\n")
    assert {"ami-id", "placement/", "network/", "instance-type"} <= set(names)
    assert not {"iam/", "spot/", "tags/"} & set(names)
    assert inside.read("placement").split("\n") == ["availability-zone", "region"]
    versions = inside.ask("/")
    assert isinstance(versions.body, bytes)
    assert versions.body.startswith(b"1.0\n")
    assert versions.body.endswith(b"\nlatest")


def test_versions(inside: Inside) -> None:
    assert inside.ask("/2021-07-15/meta-data/instance-id").body == IDENT.encode()
    assert inside.ask("/2020-01-01/meta-data/instance-id").status == 404


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ami-launch-index", "0"),
        ("block-device-mapping/ebs1", "/dev/sdf"),
        ("block-device-mapping/root", "/dev/xvda"),
        ("events/maintenance/scheduled", "[]"),
        ("hostname", "ip-10-64-0-4.ec2.internal"),
        ("instance-action", "none"),
        ("instance-id", IDENT),
        ("instance-life-cycle", "on-demand"),
        ("instance-type", "g5.xlarge"),
        ("local-ipv4", "10.64.0.4"),
        ("mac", "02:00:00:00:00:04"),
        ("network/interfaces/macs/02:00:00:00:00:04/device-number", "0"),
        ("network/interfaces/macs/02:00:00:00:00:04/owner-id", ACCOUNT),
        ("network/interfaces/macs/02:00:00:00:00:04/security-groups", "one"),
        ("placement/availability-zone", "us-east-1b"),
        ("placement/region", REGION),
        ("public-hostname", "ec2-54-1-2-3.compute-1.amazonaws.com"),
        ("public-ipv4", "54.1.2.3"),
        ("public-keys/", "0=mine"),
        ("public-keys/0/", "openssh-key"),
        ("public-keys/0/openssh-key", "ssh-ed25519 AAAA mine"),
        ("reservation-id", "r-1"),
        ("security-groups", "one"),
        ("services/domain", "amazonaws.com"),
        ("services/partition", "aws"),
    ],
)
def test_values(inside: Inside, path: str, value: str) -> None:
    assert inside.read(path) == value


def test_what_is_not_there(inside: Inside) -> None:
    paths = ["nonsense", "iam/security-credentials/", "spot/instance-action", "tags/instance/"]
    assert [inside.status(path) for path in paths] == [404] * 4
    assert inside.status("events/recommendations/rebalance") == 404
    assert inside.status("ami-id/more") == 404


def test_user_data(rehearsal: Rehearsal, inside: Inside) -> None:
    answer = inside.ask("/latest/user-data")
    assert (answer.status, answer.body) == (200, b"#!/bin/sh\nexit\n")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    change_instance(rehearsal, _UserData="")
    assert inside.ask("/latest/user-data").status == 404


def test_identity_document(inside: Inside) -> None:
    body = inside.ask("/latest/dynamic/instance-identity/document").body
    assert isinstance(body, bytes)
    document = json.loads(body)
    assert document["instanceId"] == IDENT
    assert document["accountId"] == ACCOUNT
    assert document["region"] == REGION
    assert document["pendingTime"] == "2027-01-15T08:00:00Z"


def test_tags_only_where_they_are_allowed(rehearsal: Rehearsal, inside: Inside) -> None:
    change_instance(rehearsal, MetadataOptions={"InstanceMetadataTags": "enabled"})
    assert inside.read("tags/instance/") == "runctl:run"
    assert inside.read("tags/instance/runctl:run") == "r1"
    assert inside.read("tags/instance/runctl%3Arun") == "r1"


# ---------------------------------------------------------------- spot


def test_spot_notice(rehearsal: Rehearsal, inside: Inside) -> None:
    ends = {"action": "terminate", "time": 1_800_000_120.0}
    change_instance(rehearsal, InstanceLifecycle="spot", _SpotAction=ends)
    assert inside.read("instance-life-cycle") == "spot"
    action = json.loads(inside.read("spot/instance-action"))
    assert action == {"action": "terminate", "time": "2027-01-15T08:02:00Z"}
    assert inside.read("spot/termination-time") == "2027-01-15T08:02:00Z"


def test_stop_has_no_termination_time(rehearsal: Rehearsal, inside: Inside) -> None:
    change_instance(rehearsal, _SpotAction={"action": "stop", "time": 1_800_000_120.0})
    assert json.loads(inside.read("spot/instance-action"))["action"] == "stop"
    assert inside.status("spot/termination-time") == 404


def test_rebalance_recommendation(rehearsal: Rehearsal, inside: Inside) -> None:
    change_instance(rehearsal, _RebalanceNotice=1_800_000_060.0)
    told = json.loads(inside.read("events/recommendations/rebalance"))
    assert told == {"noticeTime": "2027-01-15T08:01:00Z"}
