"""Who calls: the signature decides, and each service refuses in its own words."""

from __future__ import annotations

import io
import time
from typing import Any
from urllib.parse import urlsplit

import botocore.awsrequest
import botocore.config
import botocore.parsers
import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.api import OPERATIONS
from runctl.localcloud.busy import be_busy
from runctl.localcloud.gate import Gate
from runctl.localcloud.http.messages import Request, Responder, Response
from runctl.localcloud.identity import new_credentials
from runctl.localcloud.wire.cbor import write_texts
from tests.unit.localcloud.conftest import REGION, SESSION, Bytes, Raw, Rehearsal

FOR_S3 = "Credential=AKIA/20270115/us-east-1/s3/aws4_request"
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


def call(
    rehearsal: Rehearsal,
    service: str,
    key: str,
    secret: str,
    token: str = "",
    *,
    method: str = "",
    region: str = REGION,
) -> Any:
    """Send a request that is truly signed through the gate; return what botocore makes of it."""
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    client = SESSION.create_client(
        service,
        region_name=region,
        endpoint_url=rehearsal.cloud.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token or None,
        config=botocore.config.Config(
            retries={"total_max_attempts": 1}, parameter_validation=False
        ),
    )
    client.meta.events.register("before-send", lambda request, **_: _send(gate, request))
    return getattr(client, method or CALLS[service])()


def refusal(rehearsal: Rehearsal, service: str, *keys: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(rehearsal, service, *keys)
    response: Any = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def events(rehearsal: Rehearsal) -> list[dict[str, Any]]:
    return [one for one in rehearsal.cloud.journal.read("")[0] if one["event"] == "call"]


def _send(gate: Responder, request: Any) -> Any:
    data = request.body.encode() if isinstance(request.body, str) else request.body or b""
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    headers.setdefault("host", request.url.split("/")[2])
    parts = urlsplit(request.url)
    answer = gate(Request(request.method, parts.path or "/", parts.query, headers, Bytes(data)))
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


@pytest.mark.parametrize("service", CALLS)
def test_a_region_that_there_is_not(rehearsal: Rehearsal, service: str) -> None:
    root = rehearsal.cloud.identity.root()
    keys = (root["AccessKeyId"], root["SecretAccessKey"])
    with pytest.raises(ClientError, match="should be scoped to a valid region") as error:
        call(rehearsal, service, *keys, region="mars-north-1")
    response: Any = error.value.response
    assert response["Error"]["Code"] == FORGED[service][0]


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


ABSENT = {  # one of each protocol
    "cloudfront": "list_distributions",
    "dynamodb": "list_tables",
    "lambda": "list_functions",
    "partnercentral-marketing": "list_campaigns",
    "sqs": "list_queues",
    "sns": "list_topics",
}


@pytest.mark.parametrize("service", ABSENT)
def test_a_service_that_is_not_there(rehearsal: Rehearsal, service: str) -> None:
    with pytest.raises(ClientError) as error:
        call(rehearsal, service, "AKIA", "secret", method=ABSENT[service])
    response: Any = error.value.response
    assert response["Error"]["Code"] == "UnknownService"
    assert "The local cloud has no service" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert events(rehearsal)[-1]["error"] == "UnknownService"


def test_an_unknown_service_is_no_html(rehearsal: Rehearsal) -> None:
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    scope = "Credential=AKIA/20270115/us-east-1/lambda/aws4_request"
    header = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    answer = gate(Request("GET", "/", "", {"authorization": header}, Bytes(b"")))
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    assert b"UnknownService" in io.BytesIO(answer.body).read()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (f"AWS4-HMAC-SHA256 {FOR_S3}, Signature=0", "requires 'SignedHeaders'"),
        ("AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=0", "5 slash-delimited"),
    ],
)
def test_an_ill_formed_signature_is_refused_in_the_form_of_s3(
    rehearsal: Rehearsal, header: str, words: str
) -> None:
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    answer = gate(Request("GET", "/bucket/key", "", {"authorization": header}, Bytes(b"")))
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert b"<Error><Code>AuthorizationHeaderMalformed</Code>" in answer.body
    assert words.encode() in answer.body


def test_an_ill_formed_signature_of_a_form_is_refused_as_a_query(rehearsal: Rehearsal) -> None:
    gate = Gate(rehearsal.cloud, _no_storage, _no_control)
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIA",
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = gate(Request("POST", "/", "", headers, Bytes(b"Action=GetCallerIdentity")))
    assert isinstance(answer.body, bytes)
    assert b"<ErrorResponse><Error><Type>Sender</Type><Code>IncompleteSignature" in answer.body


BUSY = {**CALLS, "s3": "list_buckets"}


@pytest.mark.parametrize("service", BUSY)
def test_a_cloud_that_is_being_reset_says_so_in_the_words_of_the_service(service: str) -> None:
    client = SESSION.create_client(
        service,
        region_name=REGION,
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send", lambda request, **_: _send(be_busy, request))
    with pytest.raises(ClientError, match="being reset, or it ends") as error:
        getattr(client, BUSY[service])()
    response: Any = error.value.response
    assert response["Error"]["Code"].endswith(("ServiceUnavailable", "Unavailable"))
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_the_control_endpoint_is_busy_in_plain_words() -> None:
    answer = be_busy(Request("GET", "/_runctl/status", "", {}, Bytes(b"")))
    assert (answer.status, answer.body) == (503, b"busy\n")


def test_a_refusal_at_the_gate_is_an_event(rehearsal: Rehearsal) -> None:
    refusal(rehearsal, "ssm", "AKIAUNKNOWN", "secret")
    told = events(rehearsal)[-1]
    assert (told["service"], told["operation"]) == ("ssm", "DescribeParameters")
    assert told["error"] == "UnrecognizedClientException"


def test_what_breaks_inside_is_an_event(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(call: object) -> dict[str, Any]:
        raise RuntimeError(call)

    monkeypatch.setitem(OPERATIONS, ("sts", "GetCallerIdentity"), breaks)
    with pytest.raises(ClientError, match="InternalError"):
        rehearsal.client("sts").get_caller_identity()
    told = events(rehearsal)[-1]
    assert (told["operation"], told["error"]) == ("GetCallerIdentity", "InternalError")


def test_a_long_refusal_can_be_written_for_every_length() -> None:
    parser = botocore.parsers.create_parser("smithy-rpc-v2-cbor")
    for length in (1, 23, 24, 255, 256, 70000):
        told = {"__type": "Code", "message": "ä" * length}
        assert parser.parse_data_item(io.BytesIO(write_texts(told))) == told
