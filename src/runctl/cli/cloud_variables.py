"""The variables that lead the programs of a shell to a local cloud, and those that mislead them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.model.cloud import CloudKeys

# Other credentials, another endpoint, or the wish to heed no endpoint at all.
_MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_HOST = "127.0.0.1"


def leading(keys: CloudKeys, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be set."""
    return {
        "AWS_ENDPOINT_URL": keys.endpoint,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_REGION": keys.region,
        "AWS_DEFAULT_REGION": keys.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **_past_proxy(environ),
    }


def misleading(environ: Mapping[str, str]) -> Sequence[str]:
    """Return what is to be unset: also the endpoints of single services, where there are any."""
    return [*_MISLEADING, *sorted(name for name in environ if name.startswith("AWS_ENDPOINT_URL_"))]


def _past_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Where a proxy is set, let requests to this machine's loopback go past it."""
    if not any(environ.get(name) for name in _PROXIES):
        return {}
    given = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    value = ",".join(hosts if {_HOST, "*"} & set(hosts) else [*hosts, _HOST])
    return {"NO_PROXY": value, "no_proxy": value}
