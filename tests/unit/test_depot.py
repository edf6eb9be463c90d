"""Addresses of the depot, which are signed without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from runctl.aws.account import Account
from runctl.aws.depot import VALID_S, Depot
from runctl.errors import ConfigError


@pytest.fixture
def depot(monkeypatch: pytest.MonkeyPatch) -> Depot:
    for name, value in (("ACCESS_KEY_ID", "AKIAEXAMPLE"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return Depot(Account("eu-west-1"), "s3://bucket/owner")


def test_an_address_is_of_version_4_and_of_the_region_and_ends(depot: Depot) -> None:
    with depot.transit() as transit:
        parts = urlsplit(transit.expect("output"))
        transit.spare("output")
    words = parse_qs(parts.query)
    assert parts.hostname == "bucket.s3.eu-west-1.amazonaws.com"
    assert words["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert words["X-Amz-Expires"] == [str(VALID_S)]


def test_each_exchange_has_a_place_of_its_own_below_the_store(depot: Depot) -> None:
    with depot.transit() as one, depot.transit() as other:
        assert one.root.startswith("owner/transit/")
        assert one.root != other.root


def test_a_store_that_is_no_bucket_is_said_before_anything_is_sent(depot: Depot) -> None:
    at_home = replace(depot, url="/home/me/ledger")
    with (
        pytest.raises(ConfigError, match="bucket of the ledger, which is at /home/me") as e,
        at_home.transit(),
    ):
        pass
    assert e.value.hint
