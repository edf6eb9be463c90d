"""What S3 asks: policies of users, of roles and of buckets."""

from __future__ import annotations

import json
from typing import Any

from runctl.localcloud.identity import Principal
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal
from tests.unit.localcloud.test_access import ANY, ROOT
from tests.unit.localcloud.test_sts import account_trust, assume, make_role, make_user, taken

KEY = "arn:aws:s3:::store/runs/1"


def bucket(*statements: dict[str, Any]) -> str:
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
              "Resource": "arn:aws:s3:::store/*", **one} for one in statements]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


def s3(
    rehearsal: Rehearsal,
    who: Principal | None,
    action: str = "s3:GetObject",
    policy: str | None = None,
    **conditions: str,
) -> str:
    """Return why not, or "" where it may be done."""
    given = {name.replace("__", ":").replace("_", "-"): v for name, v in conditions.items()}
    try:
        rehearsal.cloud.access.check_s3(who, action, KEY, given, policy)
    except AwsError as error:
        if (error.code, error.status) != ("AccessDenied", 403):
            raise
        return error.message
    return ""


def test_s3_of_users(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "s3:Get*", "Resource": "arn:aws:s3:::store/*"})
    assert s3(rehearsal, ann) == ""
    assert s3(rehearsal, ann, "s3:PutObject") == (
        f'User: {ann.arn} is not authorized to perform: s3:PutObject on resource: "{KEY}" because '
        "no identity-based policy allows the s3:PutObject action"
    )


def test_s3_of_the_root_and_of_nobody(rehearsal: Rehearsal) -> None:
    assert s3(rehearsal, ROOT) == ""
    assert s3(rehearsal, None) == "Access Denied"


def test_policy_of_a_bucket_allows(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal)
    named = bucket({"Principal": {"AWS": ann.arn}})
    assert s3(rehearsal, ann, policy=named) == ""
    assert s3(rehearsal, None, policy=named)
    assert s3(rehearsal, ann, "s3:PutObject", named)
    account = bucket({"Principal": {"AWS": ACCOUNT}})
    assert s3(rehearsal, ann, policy=account)
    assert s3(rehearsal, None, policy=bucket({})) == ""
    assert s3(rehearsal, None, "s3:PutObject", bucket({})) == "Access Denied"


def test_policy_of_a_bucket_names_a_role(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    who = taken(rehearsal, assume(rehearsal))
    arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
    assert s3(rehearsal, who)
    assert s3(rehearsal, who, policy=bucket({"Principal": {"AWS": arn}})) == ""
    assert s3(rehearsal, who, policy=bucket({"Principal": {"AWS": who.arn}})) == ""


def test_policy_of_a_bucket_denies(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "s3:*", **ANY})
    deny = bucket({"Effect": "Deny", "Action": "s3:*"})
    assert s3(rehearsal, ann, policy=deny).endswith(
        "with an explicit deny in a resource-based policy"
    )
    assert s3(rehearsal, ROOT, policy=deny) == "Access Denied"
    assert s3(rehearsal, ROOT, "s3:DeleteBucketPolicy", deny) == ""
    assert s3(rehearsal, ann, "s3:DeleteBucketPolicy", deny)


def test_conditions_of_s3(rehearsal: Rehearsal) -> None:
    only = {"StringLike": {"s3:prefix": "runs/*"}}
    ann = make_user(rehearsal, {"Action": "s3:ListBucket", **ANY, "Condition": only})
    assert s3(rehearsal, ann, "s3:ListBucket", s3__prefix="runs/1/") == ""
    assert s3(rehearsal, ann, "s3:ListBucket", s3__prefix="other/")
    assert s3(rehearsal, ann, "s3:ListBucket")


def test_loopback_counts_as_secure_transport(rehearsal: Rehearsal) -> None:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    policy = bucket({"Effect": "Deny", "Action": "s3:*", "Condition": insecure})
    assert s3(rehearsal, ROOT, policy=policy) == ""
