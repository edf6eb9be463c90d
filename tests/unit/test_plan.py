"""How an attempt reaches the buckets of its data."""

from __future__ import annotations

import pytest

from runctl.agent.plan import BucketPlan, Plan
from runctl.errors import ConfigError


def make_plan(bucket: BucketPlan | None, data: BucketPlan | None = None) -> Plan:
    return Plan(
        run_id="run", attempt=1, instance="i-1", store="s3://b/p", instance_root="/r",
        base_python="python3", bucket=bucket, data=data, regions={"west": "us-west-2"},
    )  # fmt: skip


def test_a_bucket_has_its_own_region_and_the_ledgers_way() -> None:
    ledger = BucketPlan(region="eu-west-1", profile="team", is_users=True)
    plan = make_plan(ledger)
    found = plan.reach("s3://west/sets/a")
    assert (found.region, found.profile, found.is_users) == ("us-west-2", "team", True)
    assert plan.reach("s3://other/sets").region == "eu-west-1"
    assert make_plan(None, ledger).reach("s3://other").profile == "team"


def test_who_was_not_told_how_says_so() -> None:
    with pytest.raises(ConfigError):
        make_plan(None).reach("s3://b")
