"""Signatures of botocore's own signer, read and verified."""

from __future__ import annotations

import time

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from runctl.localcloud.http.messages import Request
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.signature import credential_scope, verify
from tests.unit.localcloud.conftest import Bytes

SIGNERS = {"s3": S3SigV4Auth, "lambda": SigV4Auth}


def signed(service: str, path: str, query: str = "") -> Request:
    url = f"http://127.0.0.1:4566{path}?{query}" if query else f"http://127.0.0.1:4566{path}"
    made = AWSRequest("GET", url, headers={"host": "127.0.0.1:4566"})
    SIGNERS[service](Credentials("AKIA", "secret"), service, "us-east-1").add_auth(made)
    headers = {name.lower(): value for name, value in made.headers.items()}
    return Request("GET", path, query, headers, Bytes(b""))


def check(request: Request, secret: str = "secret") -> None:
    scope = credential_scope(request)
    assert scope is not None
    verify(request, scope, secret, time.time())


@pytest.mark.parametrize("path", ["/b/key", "/b/a%20b", "/b/%C3%BC", "/b/%FF%FE"])
@pytest.mark.parametrize("query", ["", "list-type=2&prefix=%FF", "a=%C3%BC&b"])
def test_any_bytes_can_be_signed(path: str, query: str) -> None:
    check(signed("s3", path, query))


def test_two_keys_that_are_no_text_have_two_signatures() -> None:
    request = signed("s3", "/b/%FF")
    request.path = "/b/%FE"
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        check(request)


def test_other_services_escape_the_path_once_more() -> None:
    check(signed("lambda", "/a%20b/%FF"))
