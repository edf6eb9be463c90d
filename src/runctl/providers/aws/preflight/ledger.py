"""The ledger's bucket, as the caller may use it: written, read and cleared."""

from __future__ import annotations

import io

from runctl.aws.account import Account
from runctl.aws.depot import Depot
from runctl.aws.errors import translated
from runctl.errors import ConfigError, IntegrityError
from runctl.store.place import is_bucket
from runctl.store.s3 import split_url

_WORDS = b"runctl aws check"


def look_at_ledger(account: Account, url: str) -> str:
    """Write a few bytes and read them back. Raises ConfigError, AuthError or NotFoundError."""
    if not is_bucket(url):
        raise ConfigError(f"an instance cannot reach a ledger at {url}", hint="runctl aws setup")
    _check_place(account, split_url(url)[0])
    target = io.BytesIO()
    with Depot(account, url).transit() as transit:
        transit.put("check", io.BytesIO(_WORDS))
        transit.fetch("check", target)
    if target.getvalue() != _WORDS:
        raise IntegrityError(f"{url} gives back other bytes than it was given")
    return f"{url} can be written, read and cleared"


def _check_place(account: Account, bucket: str) -> None:
    with translated(f"the bucket {bucket} cannot be used", hint="runctl aws setup"):
        told = account.client("s3").head_bucket(Bucket=bucket)
    region = told.get("BucketRegion") or account.region
    if region != account.region:
        raise ConfigError(
            f"the bucket {bucket} is in {region}, and instances would be in {account.region}",
            hint=f"runctl config set --user aws.region {region}",
        )
