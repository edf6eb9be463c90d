"""What a bucket refuses, as our errors; what only AWS says is here, the rest in tests/aws."""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError

from runctl.aws.account import Account
from runctl.aws.bucket_access import bucket_endpoint
from runctl.errors import AuthError, ConfigError, RunctlError, TransportError
from runctl.store.bucket_errors import refusal_of
from runctl.store.pace import BUCKET, FOLDER, pace_of
from runctl.store.place import open_objects
from runctl.store.s3 import BucketAccess, open_bucket, split_url

URL = "s3://bucket/me"
TOLD = "non-2xx status code: {}: <Error><Code>{}</Code><Message>{}</Message></Error>"
SIGNED = {
    "AWS_CONFIG_FILE": "/absent",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
REDIRECT = "Received redirect without LOCATION, this normally indicates a misconfigured region"


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (TOLD.format("301 Moved", "PermanentRedirect", "use that endpoint"), ConfigError, "region"),
        (TOLD.format("400 Bad Request", "AuthorizationHeaderMalformed", "expecting 'eu-west-1'"),
         ConfigError, "expecting 'eu-west-1'"),
        (REDIRECT, ConfigError, "S3 answers elsewhere"),
        (TOLD.format("400 Bad Request", "ExpiredToken", "it has expired"), AuthError, "expired"),
        ("error, non-2xx status code: 403 Forbidden: \n\nDebug", AuthError, "access denied"),
        (TOLD.format("503 Slow Down", "SlowDown", "Reduce your rate"), TransportError, "Reduce"),
        ("HTTP error: error sending request\n\nDebug source", TransportError, "sending request$"),
    ],
)  # fmt: skip
def test_refusals_are_told_by_code(told: str, kind: type[RunctlError], words: str) -> None:
    error = refusal_of(GenericError(told), URL, "runs/a")
    assert type(error) is kind
    assert error.hint
    with pytest.raises(kind, match=words):
        raise error


def test_a_place_in_s3_is_a_bucket_and_a_prefix() -> None:
    assert split_url("s3://bucket") == ("bucket", "")
    assert split_url("s3://bucket/a/b/") == ("bucket", "a/b")
    access = BucketAccess("eu-west-1")
    assert open_bucket("s3://bucket//a/", access).url == "s3://bucket/a"
    assert open_bucket("s3://bucket/", access).url == "s3://bucket"
    for place in ("s3://", "s3:///a"):
        with pytest.raises(ConfigError, match="names no bucket"):
            open_objects(place, access)


def test_other_places_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="gs://bucket"):
        open_objects("gs://bucket/a")
    with pytest.raises(ConfigError, match="nothing says how"):
        open_objects("s3://bucket/a")


def test_buckets_are_looked_at_less_often() -> None:
    assert (pace_of("/folder"), pace_of(URL)) == (FOLDER, BUCKET)
    assert BUCKET.follow_s >= 0.5
    assert BUCKET.mailbox_s >= 2


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000/"}, "http://127.0.0.1:5000"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}, "http://b"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://s3.dualstack.eu-west-1.amazonaws.com"),
    ],
)
def test_the_endpoint_is_what_calls_go_to(
    variables: dict[str, str], endpoint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**SIGNED, **variables}.items():
        monkeypatch.setenv(name, value)
    assert bucket_endpoint(Account("eu-west-1")) == endpoint


def test_the_region_is_read_as_awss_own_command_line_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert Account().region == "eu-north-1"
    assert Account("us-west-2").region == "us-west-2"
