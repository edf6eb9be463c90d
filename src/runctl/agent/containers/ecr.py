"""A password for ECR from the instance's own role: one call, signed here, for the agent has no SDK.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

from runctl.agent.metadata import Metadata
from runctl.errors import AuthError, TransportError

_TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
_BODY = b"{}"
_PATIENCE_S = 30.0
_PATH = "iam/security-credentials/"


class Keys(NamedTuple):
    """What signs: an access key, and the token of a role."""

    access_key_id: str
    secret_key: str
    token: str | None


def find_keys(environ: Mapping[str, str]) -> Keys | None:
    """Return the keys of the environment, or of the instance's role; None where there are none."""
    if "AWS_ACCESS_KEY_ID" in environ and "AWS_SECRET_ACCESS_KEY" in environ:
        token = environ.get("AWS_SESSION_TOKEN")
        return Keys(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], token)
    metadata = Metadata(environ)
    try:
        role = metadata.read(_PATH)
        told = metadata.read(f"{_PATH}{role.split()[0]}") if role else None
    except (OSError, HTTPException):
        return None
    if told is None:
        return None
    found = json.loads(told)
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


def endpoint_of(region: str, domain: str, environ: Mapping[str, str]) -> str:
    given = environ.get("AWS_ENDPOINT_URL_ECR") or environ.get("AWS_ENDPOINT_URL")
    return given or f"https://api.ecr.{region}.{domain}"


def ask_password(endpoint: str, region: str, keys: Keys, now: datetime) -> str:
    """Return ``user:password``, good for twelve hours; AuthError where that is refused."""
    url = f"{endpoint.rstrip('/')}/"
    headers = sign(urlsplit(url).netloc, region, keys, now)
    request = urllib.request.Request(url, _BODY, headers)  # noqa: S310 - AWS's own, or what is set
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        words = error.read().decode(errors="replace")
        raise AuthError(
            f"ECR gives this instance no password: {words}",
            hint="runctl aws setup --ecr REPOSITORY",
        ) from error
    except OSError as error:
        raise TransportError(
            f"ECR at {url} does not answer: {error}", hint="runctl aws check"
        ) from error
    return base64.b64decode(told["authorizationData"][0]["authorizationToken"]).decode()


def sign(host: str, region: str, keys: Keys, now: datetime) -> dict[str, str]:
    """Return the headers of the call, in Signature Version 4."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": stamp,
        **({"x-amz-security-token": keys.token} if keys.token else {}),
        "x-amz-target": _TARGET,
    }
    names, digest = ";".join(headers), hashlib.sha256(_BODY).hexdigest()
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/ecr/aws4_request"
    asked = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{asked}"
    signature = hmac.new(_key(keys, scope), text.encode(), hashlib.sha256).hexdigest()
    who = f"Credential={keys.access_key_id}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": authorization}


def _key(keys: Keys, scope: str) -> bytes:
    key = f"AWS4{keys.secret_key}".encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key
