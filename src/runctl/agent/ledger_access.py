"""The ledger as the agent reaches it: in a folder, or in S3 with what signs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.agent.plan import BucketPlan, Plan
from runctl.store.ledger import Ledger
from runctl.store.place import open_objects

if TYPE_CHECKING:
    from runctl.store.s3 import BucketAccess


def open_ledger(plan: Plan) -> Ledger:
    access = None if plan.bucket is None else access_of(plan.bucket)
    return Ledger(open_objects(plan.store, access, must_exist=True))


def access_of(bucket: BucketPlan) -> BucketAccess:
    """Return how requests are signed here: as the user's, or by the instance's role."""
    from runctl.store.s3 import BucketAccess  # noqa: PLC0415 - a folder needs no client of S3

    if not bucket.is_users:
        return BucketAccess(region=bucket.region, endpoint=bucket.endpoint)
    from runctl.aws.account import Account  # noqa: PLC0415 - an instance's role needs no boto3
    from runctl.aws.bucket_access import keys_of  # noqa: PLC0415

    account = Account(bucket.region, bucket.profile)
    return BucketAccess(bucket.region, bucket.endpoint, keys=lambda: keys_of(account))
