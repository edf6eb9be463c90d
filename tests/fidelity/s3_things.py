"""Things of S3 that rows use: made once for the suite, and ended with it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from tests.fidelity.iam_things import once
from tests.fidelity.table import Answered, Parameters, Refused, Row, World
from tests.fidelity.world import empty_and_delete

TEN = b"0123456789"
TEN_MD5 = hashlib.md5(TEN).hexdigest()
PART = 5 << 20
NO_BUCKET = "fidelity-nobody-has-this-bucket-4be1"
NO_UPLOAD = "nosuchupload"
SUMS = {
    "CRC32": base64.b64encode(zlib.crc32(TEN).to_bytes(4, "big")).decode(),
    "CRC32C": "KAwGng==",
    "CRC64NVME": "Ffmx7kz9nB0=",
    "SHA1": base64.b64encode(hashlib.sha1(TEN).digest()).decode(),
    "SHA256": base64.b64encode(hashlib.sha256(TEN).digest()).decode(),
}


def row(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    entry = "".join(word.capitalize() for word in call.split("_"))
    return Row(says, "s3", call, parameters, outcome, f"Amazon S3 API Reference, {entry}")


# ---------------------------------------------------------------- objects and buckets


def put(world: World, key: str, body: bytes = TEN, **more: Any) -> str:
    """Put an object into the bucket of all; return its key."""
    world.client("s3").put_object(Bucket=world.bucket, Key=key, Body=body, **more)
    return key


@once
def ten(world: World) -> str:
    """Return the key of an object of ten bytes, with metadata."""
    return put(
        world,
        "objects/ten",
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"owner": "fidelity", "Mixed-Case": "Kept As It Is"},
        Tagging="kind=row",
    )


@once
def empty(world: World) -> str:
    """Return the key of an object of no bytes."""
    return put(world, "objects/empty", b"")


def of(key: Callable[[World], str], **more: Any) -> Callable[[World], dict[str, Any]]:
    """Return the parameters of a call about an object."""
    return lambda world: {"Bucket": world.bucket, "Key": key(world), **more}


def new(stem: str, **more: Any) -> Callable[[World], dict[str, Any]]:
    """Return the parameters of a call about a key that nobody has used."""
    return lambda world: {"Bucket": world.bucket, "Key": world.name(f"new/{stem}"), **more}


def make_bucket(world: World, *, is_versioned: bool = False) -> str:
    """Make a bucket that is deleted with the suite."""
    s3, name = world.client("s3"), world.name("fidelity")
    where = {"LocationConstraint": world.region}
    extra = {} if world.region == "us-east-1" else {"CreateBucketConfiguration": where}
    s3.create_bucket(Bucket=name, **extra)
    world.later(lambda: empty_and_delete(s3, name))
    if is_versioned:
        version(world, name, "Enabled")
    return str(name)


def version(world: World, bucket: str, status: str) -> None:
    """Enable or suspend versioning."""
    world.client("s3").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": status}
    )


@once
def versioned(world: World) -> str:
    """Return the name of a bucket that keeps versions."""
    return make_bucket(world, is_versioned=True)


@once
def bare(world: World) -> str:
    """Return the name of a bucket none of whose settings was ever changed."""
    return make_bucket(world)


# ---------------------------------------------------------------- other callers


def client_with(world: World, **options: Any) -> Any:
    """Return a client of the same cloud with other options."""
    known = world.client("s3")
    keys = known._request_signer._credentials
    given = {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
        "region_name": world.region,
        "endpoint_url": known.meta.endpoint_url,
    }
    make: Any = boto3.client
    return make("s3", **{**given, **options})


def anonymous(world: World) -> Any:
    """Return a client that signs nothing."""
    return client_with(world, config=Config(signature_version=UNSIGNED))


def version_4(world: World) -> Any:
    """Return a client that signs URLs as all regions want it."""
    return client_with(world, config=Config(signature_version="s3v4"))


def send(
    world: World, method: str, target: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Sign a request by hand, about a path and a query, and send it; return as ``fetch`` does."""
    known = world.client("s3")
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{known.meta.endpoint_url}/{target}"
    request = AWSRequest(method, url, data=body, headers=told)
    S3SigV4Auth(known._request_signer._credentials, "s3", world.region).add_auth(request)
    signed = {name.replace("-", "_"): value for name, value in request.headers.items()}
    return fetch(url, method, body, **signed)


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send a request with no header but these; return status, headers in lower case, and body."""
    split = urlsplit(url)
    kind = HTTPSConnection if split.scheme == "https" else HTTPConnection
    with closing(kind(split.netloc, timeout=60)) as connection:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{split.path}?{split.query}", body, told)
        answer = connection.getresponse()
        known = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, known, answer.read()
