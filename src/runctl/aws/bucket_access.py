"""How buckets are reached with an account's own credentials, endpoint and region."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.model.reach import AS_USUAL, Reach
from runctl.store.s3 import BucketAccess, BucketKeys

# botocore hands out no credentials that expire within ten minutes: it renews them first.
# https://github.com/boto/botocore: RefreshableCredentials, _mandatory_refresh_timeout
KEYS_TIME = timedelta(minutes=10)


def bucket_access(account: Account) -> BucketAccess:
    """Return the access of whoever is signed in: a profile, SSO, an assumed role, a variable."""
    return bucket_access_in(account, account.region)


def bucket_access_in(account: Account, region: str, reach: Reach = AS_USUAL) -> BucketAccess:
    """Return the same for a bucket of another region."""
    return BucketAccess(
        region=region,
        endpoint=bucket_endpoint(account),
        keys=None if reach.is_anonymous else lambda: keys_of(account),
        reach=reach,
    )


def bucket_endpoint(account: Account) -> str | None:
    """Return the endpoint of S3, or None where it is AWS's own for the region."""
    endpoint = account.endpoint("s3").rstrip("/")
    own = ("https://s3.amazonaws.com", f"https://s3.{account.region}.amazonaws.com")
    return None if endpoint in own else endpoint


def keys_of(account: Account) -> BucketKeys:
    """Return what signs now; it is renewed by asking again. AuthError where nobody is signed in."""
    with translated("the credentials for S3 cannot be had"):
        frozen = account.credentials.get_frozen_credentials()
    return BucketKeys(
        access_key_id=frozen.access_key,
        secret_access_key=frozen.secret_key,
        token=frozen.token,
        expires_at=datetime.now(UTC) + KEYS_TIME,
    )
