"""Names that AWS takes, and that tell two owners apart."""

from __future__ import annotations

import re

from runctl.aws import names

OWNER, OTHER = "usr-abcdefghijklmnop", "usr-ponmlkjihgfedcba"


def test_the_bucket_is_of_the_account_and_the_region() -> None:
    assert names.bucket_name("123456789012", "us-east-1") == "runctl-123456789012-us-east-1"
    longest = names.bucket_name("123456789012", "ap-northeast-1")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", longest)


def test_an_owner_has_a_prefix_of_the_bucket() -> None:
    assert names.ledger_url("bucket", OWNER) == f"s3://bucket/{OWNER}"


def test_what_is_of_one_owner_is_called_after_him() -> None:
    for name in (names.role_name, names.instance_profile_name, names.security_group_name):
        assert name(OWNER) == f"runctl-{OWNER}"
        assert name(OTHER) != name(OWNER)
        assert re.fullmatch(r"[\w+=,.@-]{1,64}", name(OWNER))  # a role has the shortest of all
        assert not name(OWNER).startswith("sg-")  # EC2 keeps that to itself
