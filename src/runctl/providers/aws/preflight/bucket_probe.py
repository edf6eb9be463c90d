"""Sent to an instance, and run by whatever Python 3 its image has: may its role use the ledger?

It knows nothing of runctl. Its words are endpoint (or ``-`` for AWS's own), region, bucket, key;
it prints one JSON object: which step was answered with which status, or what was in the way.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

_METADATA = "http://169.254.169.254"
_TIME_S = 10
_STEPS = (("put", "PUT", b"runctl aws check"), ("get", "GET", b""), ("delete", "DELETE", b""))


def find_keys() -> dict[str, str]:
    """Return what the instance's role signs with, from its metadata of version 2."""
    at = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _METADATA).rstrip("/") + "/latest"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    wanted = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    asked = urllib.request.Request(at + "/api/token", headers=wanted, method="PUT")  # noqa: S310
    with direct.open(asked, timeout=_TIME_S) as answer:
        token = answer.read().decode()
    place, role = at + "/meta-data/iam/security-credentials/", ""
    for _ in range(2):  # first the role's name, then what it has
        given = {"X-aws-ec2-metadata-token": token}
        asked = urllib.request.Request(place + role, headers=given)  # noqa: S310
        with direct.open(asked, timeout=_TIME_S) as answer:
            told = answer.read().decode()
        role = role or told.split()[0]
    found: dict[str, str] = json.loads(told)
    return found


def sign(
    keys: dict[str, str], region: str, method: str, url: str, body: bytes, now: str
) -> dict[str, str]:
    """Return the headers of a request to S3; ``now`` is such as ``20261126T151700Z``.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    parts = urllib.parse.urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": now,
        "x-amz-security-token": keys["Token"],
    }
    names = ";".join(headers)
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{parts.path}\n\n{listed}\n{names}\n{digest}"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = ("AWS4" + keys["SecretAccessKey"]).encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers


def ask(keys: dict[str, str], region: str, method: str, url: str, body: bytes) -> int:
    """Send one request; return the status that it is answered with."""
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")  # noqa: UP017
    headers = sign(keys, region, method, url, body, now)
    data = body if method == "PUT" else None
    asked = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=_TIME_S) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main(endpoint: str, region: str, bucket: str, key: str) -> None:
    """Put, get and delete one object; print how each went."""
    china = ".cn" if region.startswith("cn-") else ""
    own = f"https://{bucket}.s3.{region}.amazonaws.com{china}"
    base = own if endpoint == "-" else f"{endpoint.rstrip('/')}/{bucket}"
    steps: dict[str, int] = {}
    told: dict[str, object] = {"steps": steps}
    try:
        keys = find_keys()
        for name, method, body in _STEPS:
            steps[name] = ask(keys, region, method, f"{base}/{key}", body)
    except (OSError, ValueError, KeyError, IndexError) as error:
        told["problem"] = f"{type(error).__name__}: {error}"
    print(json.dumps(told))  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
