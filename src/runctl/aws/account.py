"""One account of AWS, as settings and environment reach it: every client is made here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials

from runctl.aws.errors import translated
from runctl.errors import AuthError, ConfigError

CONNECT_S, READ_S = 10, 60
_OF_ALL: Mapping[str, Any] = {
    "connect_timeout": CONNECT_S,
    "read_timeout": READ_S,
    "retries": {"mode": "standard", "total_max_attempts": 5},
}
# For presigned addresses: KMS wants version 4, and only in the virtual style do they name the
# region's own host. The host of all regions redirects for a new bucket, which a signature forbids.
_OF: Mapping[str, Mapping[str, Any]] = {
    # Bodies have a checksum of their own, which is signed: they need not be read once more for it.
    "s3": {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "virtual", "payload_signing_enabled": False},
    },
    # A price that cannot be had soon is unknown: nobody waits for it.
    "pricing": {
        "connect_timeout": 4,
        "read_timeout": 10,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    },
}


@dataclass
class Account:
    """``region`` and ``profile`` of None leave it to AWS's own variables and files.

    Clients are kept and may be used from several threads. Retries are botocore's, in its
    standard mode: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    given_region: str | None = None
    profile: str | None = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def client(self, service: str, *, region: str | None = None) -> Any:
        """Return the client of a service, such as ``ec2``."""
        key = (service, region or self.region)
        with self._lock:  # boto3's sessions are not for several threads
            if key not in self._clients:
                self._clients[key] = self._make(*key)
        return self._clients[key]

    def client_apart(self, service: str, region: str, *, is_anonymous: bool) -> Any:
        """Return a client that is nobody else's; an anonymous one signs nothing."""
        with self._lock:
            more = {"signature_version": botocore.UNSIGNED} if is_anonymous else {}
            return self._make(service, region, more)

    @cached_property
    def region(self) -> str:
        """The region of all calls, or ConfigError with what to set."""
        # boto3 reads AWS_DEFAULT_REGION alone; AWS's own command line prefers AWS_REGION, too.
        region = self.given_region or os.environ.get("AWS_REGION") or self._session.region_name
        if not region:
            raise ConfigError(
                "no region of AWS is set",
                hint="runctl config set --user aws.region us-east-1, or export AWS_REGION=…",
            )
        return str(region)

    @property
    def credentials(self) -> Credentials:
        """The credentials that sign calls; they refresh themselves. AuthError if there are none."""
        found = self._session.get_credentials()
        if found is None:
            raise AuthError(
                "there are no credentials for AWS",
                hint="aws configure, aws sso login, or export AWS_PROFILE=…",
            )
        return found

    def endpoint(self, service: str) -> str:
        """The address that a service is called at."""
        return str(self.client(service).meta.endpoint_url)

    @cached_property
    def _session(self) -> boto3.Session:
        try:
            return boto3.Session(profile_name=self.profile, region_name=self.given_region)
        except botocore.exceptions.ProfileNotFound as error:
            raise ConfigError(
                f"AWS's settings know no profile {error.kwargs.get('profile')!r}",
                hint="aws configure list-profiles, and then runctl config set --user aws.profile …",
            ) from error

    def _make(self, service: str, region: str, more: Mapping[str, Any] | None = None) -> Any:
        # botocore writes what it has found into what it is given.
        config = BotoConfig(**deepcopy({**_OF_ALL, **_OF.get(service, {}), **(more or {})}))
        with translated(f"{service} of AWS cannot be called"):
            return self._session.client(service, region_name=region, config=config)
