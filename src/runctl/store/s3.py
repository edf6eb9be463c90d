"""A bucket of S3 as a store: addresses, signatures, checksums, time limits and retries."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import S3Store

from runctl.errors import ConfigError
from runctl.model.paths import check_relative
from runctl.model.reach import AS_USUAL, Reach
from runctl.store.bucket import BucketObjects

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

CONNECT_TIME = timedelta(seconds=10)
QUICK_TIME = timedelta(seconds=30)
# 64 MiB, the largest object there is, at less than 2 Mbit/s.
PATIENT_TIME = timedelta(minutes=5)
_RETRY: RetryConfig = {
    "max_retries": 8,
    "retry_timeout": timedelta(minutes=1),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10)},
}


@dataclass(frozen=True)
class BucketKeys:
    """What signs requests until ``expires_at``; then it is asked for again."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class BucketAccess:
    """How buckets are reached. ``endpoint`` of None is AWS's own for the region.

    ``keys`` is asked for what signs; None leaves it to the environment, to the container or to
    the instance's own role, in this order, as obstore finds them (IMDSv2 only).
    """

    region: str
    endpoint: str | None = None
    keys: Callable[[], BucketKeys] | None = None
    reach: Reach = AS_USUAL


def open_bucket(url: str, access: BucketAccess) -> BucketObjects:
    """Open ``s3://bucket/prefix``; nothing is sent yet. Raises ConfigError or UnsafePath."""
    bucket, prefix = split_url(url)
    place = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
    quick, patient = (
        reach_bucket(bucket, prefix, access, limit) for limit in (QUICK_TIME, PATIENT_TIME)
    )
    return BucketObjects(quick, place, patient=patient)


def reach_bucket(bucket: str, prefix: str, access: BucketAccess, limit: timedelta) -> S3Store:
    """Return obstore's view of a bucket, whose requests take no longer than ``limit``."""
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=_config(bucket, access),
        client_options=_client(access, limit),
        retry_config=_RETRY,
        credential_provider=_provider(access),
    )


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and prefix, the latter without slashes at its ends."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not bucket:
        raise ConfigError(
            f"{url} names no bucket", hint="runctl config set store.root s3://bucket/prefix"
        )
    return bucket, check_relative(prefix) if prefix else ""


def _config(bucket: str, access: BucketAccess) -> S3Config:
    config: S3Config = {"region": access.region, "checksum_algorithm": "sha256"}
    if access.endpoint is not None:
        # In the path: no name of a bucket has to be known to any DNS.
        config["endpoint"] = access.endpoint
        config["virtual_hosted_style_request"] = False
    else:
        # A dot in the name is not covered by AWS's certificate.
        config["virtual_hosted_style_request"] = "." not in bucket
    config.update(_reach_config(access.reach))
    metadata = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    if metadata:  # obstore reads a variable of its own alone
        config["metadata_endpoint"] = metadata
    return config


def _reach_config(reach: Reach) -> S3Config:
    config: S3Config = {}
    if reach.is_anonymous:
        config["skip_signature"] = True
    if reach.is_requester_pays:
        config["request_payer"] = True
    if reach.encryption is not None:
        config["server_side_encryption"] = reach.encryption
    if reach.kms_key is not None:
        config["sse_kms_key_id"] = reach.kms_key
    return config


def _client(access: BucketAccess, limit: timedelta) -> ClientConfig:
    is_plain = access.endpoint is not None and urlsplit(access.endpoint).scheme == "http"
    return {"allow_http": is_plain, "connect_timeout": CONNECT_TIME, "timeout": limit}


def _provider(access: BucketAccess) -> Callable[[], S3Credential] | None:
    keys = access.keys
    if keys is None:
        return None

    def provide() -> S3Credential:
        found = keys()
        return {
            "access_key_id": found.access_key_id,
            "secret_access_key": found.secret_access_key,
            "token": found.token,
            "expires_at": found.expires_at,
        }

    return provide
