"""Who calls: the signature decides, and each service refuses in its own words."""

from __future__ import annotations

import io
import time
from typing import Any

import botocore.awsrequest
import botocore.config
import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.gate import Gate
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import new_credentials
from tests.unit.localcloud.conftest import REGION, SESSION, Bytes, Raw, Rehearsal

CALLS = {
    "ec2": "describe_volumes",
    "ecr": "describe_repositories",
    "iam": "list_roles",
    "ssm": "describe_parameters",
    "sts": "get_caller_identity",
}
UNKNOWN = {
    "ec2": ("AuthFailure", 401),
    "ecr": ("UnrecognizedClientException", 400),
    "iam": ("InvalidClientTokenId", 403),
    "ssm": ("UnrecognizedClientException", 400),
    "sts": ("InvalidClientTokenId", 403),
}
FORGED = {
    "ec2": ("AuthFailure", 401),
    "ecr": ("InvalidSignatureException", 400),
    "iam": ("SignatureDoesNotMatch", 403),
    "ssm": ("InvalidSignatureException", 400),
    "sts": ("SignatureDoesNotMatch", 403),
}
EXPIRED = {
    "ec2": ("RequestExpired", 400),
    "ecr": ("ExpiredTokenException", 400),
    "iam": ("ExpiredToken", 403),
    "ssm": ("ExpiredTokenException", 400),
    "sts": ("ExpiredToken", 403),
}


@pytest.fixture(autouse=True)
def _now(rehearsal: Rehearsal) -> None:
    """Let the cloud have the time with which botocore signs."""
    rehearsal.jobs.now = time.time()


def call(rehearsal: Rehearsal, service: str, key: str, secret: str, token: str = "") -> Any:
    """Send a request that is truly signed through the gate; return what botocore makes of it."""
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    client = SESSION.create_client(
        service,
        region_name=REGION,
        endpoint_url=rehearsal.cloud.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token or None,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send", lambda request, **_: _send(gate, request))
    return getattr(client, CALLS[service])()


def refusal(rehearsal: Rehearsal, service: str, *keys: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(rehearsal, service, *keys)
    response: Any = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def _send(gate: Gate, request: Any) -> Any:
    data = request.body.encode() if isinstance(request.body, str) else request.body or b""
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    headers.setdefault("host", request.url.split("/")[2])
    answer = gate(Request(request.method, "/", "", headers, Bytes(data)))
    assert isinstance(answer.body, bytes)
    return botocore.awsrequest.AWSResponse(
        request.url, answer.status, answer.headers, Raw(answer.body)
    )


def _no_storage(request: Request, scope: object) -> Response:
    raise AssertionError((request, scope))


def _no_control(request: Request) -> Response:
    raise AssertionError(request)


@pytest.mark.parametrize("service", CALLS)
def test_one_who_signs_truly_is_answered(rehearsal: Rehearsal, service: str) -> None:
    root = rehearsal.cloud.identity.root()
    assert call(rehearsal, service, root["AccessKeyId"], root["SecretAccessKey"])


@pytest.mark.parametrize("service", CALLS)
def test_an_unknown_key(rehearsal: Rehearsal, service: str) -> None:
    assert refusal(rehearsal, service, "AKIAUNKNOWN", "secret") == UNKNOWN[service]


@pytest.mark.parametrize("service", CALLS)
def test_a_forged_signature(rehearsal: Rehearsal, service: str) -> None:
    key = rehearsal.cloud.identity.root()["AccessKeyId"]
    assert refusal(rehearsal, service, key, "not the secret") == FORGED[service]


@pytest.mark.parametrize("service", CALLS)
def test_a_session_that_is_over(rehearsal: Rehearsal, service: str) -> None:
    arn = f"arn:aws:iam::{rehearsal.cloud.account}:root"
    keys = new_credentials("ASIA", arn, expiration=rehearsal.jobs.now - 1)
    rehearsal.cloud.identity.add_session(keys)
    found = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    assert refusal(rehearsal, service, *found) == EXPIRED[service]


def test_a_body_that_was_changed_on_the_way(rehearsal: Rehearsal) -> None:
    root = rehearsal.cloud.identity.root()
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    client = SESSION.create_client(
        "sts",
        region_name=REGION,
        endpoint_url=rehearsal.cloud.endpoint,
        aws_access_key_id=root["AccessKeyId"],
        aws_secret_access_key=root["SecretAccessKey"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )

    def tamper(request: Any, **_: object) -> Any:
        request.body = f"{request.body}&Extra=1"
        return _send(gate, request)

    client.meta.events.register("before-send", tamper)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.get_caller_identity()


def test_an_unknown_service_is_no_html(rehearsal: Rehearsal) -> None:
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    scope = "Credential=AKIA/20270115/us-east-1/lambda/aws4_request"
    header = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    answer = gate(Request("GET", "/", "", {"authorization": header}, Bytes(b"")))
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    assert b"UnknownService" in io.BytesIO(answer.body).read()
