"""Which bucket and key a request is about, and which operation it asks for."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from runctl.localcloud.http.messages import Request
from runctl.localcloud.s3.errors import s3_error

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_BYTES = 1024
_HOSTS = re.compile(r"(?P<bucket>.+?)\.(?:s3[.-])?(?:[a-z0-9-]+\.)*(?:localhost|amazonaws\.com)")

# By method: subresources in the query, and what they mean, for buckets and for objects.
_BUCKET_PARTS = (
    "accelerate", "acl", "analytics", "cors", "encryption", "intelligent-tiering", "inventory",
    "lifecycle", "location", "logging", "metrics", "notification", "object-lock",
    "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
    "requestPayment", "tagging", "versioning", "website",
)  # fmt: skip
_NAMES = {
    "accelerate": "AccelerateConfiguration",
    "analytics": "AnalyticsConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "notification": "NotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "OwnershipControls",
    "policyStatus": "PolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "requestPayment": "RequestPayment",
    "intelligent-tiering": "IntelligentTieringConfiguration",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head"}


@dataclass(frozen=True, slots=True)
class Address:
    """What a request is about."""

    operation: str
    """As S3 names it, such as ``PutObject``."""
    bucket: str
    key: str
    query: dict[str, str]
    part: str
    """The subresource of a bucket that it is about, such as ``versioning``."""


def read_address(request: Request) -> Address:
    """Find out what a request is about; raise for a key that cannot be one."""
    query = _read_query(request.query)
    path = request.path[1:]
    bucket = _bucket_of_host(request.headers.get("host", ""))
    if bucket is None:
        bucket, _, path = path.partition("/")
        bucket = unquote(bucket)
    try:
        key = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise s3_error("InvalidURI", "Couldn't parse the specified URI.") from error
    if len(key.encode()) > _KEY_BYTES:
        raise s3_error("KeyTooLongError", "Your key is too long", MaxSizeAllowed=_KEY_BYTES)
    if key:
        return Address(_object_operation(request, query), bucket, key, query, "")
    if bucket:
        operation, part = _bucket_operation(request, query)
        return Address(operation, bucket, "", query, part)
    return Address("ListBuckets" if request.method == "GET" else "Unknown", "", "", query, "")


def _read_query(text: str) -> dict[str, str]:
    """Read a query; what belongs to a signature is left out."""
    if not text:
        return {}
    pairs = (part.partition("=") for part in text.split("&") if not part.startswith("X-Amz-"))
    return {_plain(name): _plain(value) for name, _, value in pairs if name}


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


@lru_cache(maxsize=256)
def _bucket_of_host(host: str) -> str | None:
    """Return the bucket of a virtual host; None where the path names it."""
    name = host.partition(":")[0]
    if name in ("", "localhost"):
        return None
    try:
        ipaddress.ip_address(name)
    except ValueError:
        found = _HOSTS.fullmatch(name)
        return found["bucket"] if found and found["bucket"] != "s3" else None
    return None


def _object_operation(request: Request, query: dict[str, str]) -> str:
    method, has_copy = request.method, "x-amz-copy-source" in request.headers
    if "uploadId" in query or "uploads" in query:
        return _multipart_operation(method, query, has_copy=has_copy)
    for part, name in (
        ("acl", "ObjectAcl"),
        ("tagging", "ObjectTagging"),
        ("attributes", "ObjectAttributes"),
        ("legal-hold", "ObjectLegalHold"),
        ("retention", "ObjectRetention"),
        ("torrent", "ObjectTorrent"),
    ):
        if part in query:
            return f"{_VERBS.get(method, 'Unknown')}{name}"
    if method == "PUT":
        return "CopyObject" if has_copy else "PutObject"
    if method == "POST":
        return next((n for p, n in _POSTS.items() if p in query), "Unknown")
    return f"{_VERBS[method]}Object" if method in _VERBS else "Unknown"


_POSTS = {"restore": "RestoreObject", "select": "SelectObjectContent"}


def _multipart_operation(method: str, query: dict[str, str], *, has_copy: bool) -> str:
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if method == "PUT":
        return "UploadPartCopy" if has_copy else "UploadPart"
    return {"GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(method, "Unknown")


def _bucket_operation(request: Request, query: dict[str, str]) -> tuple[str, str]:
    method = request.method
    if method == "POST":
        return ("DeleteObjects" if "delete" in query else "PostObject"), ""
    if method == "GET":
        for part, name in (("versions", "ListObjectVersions"), ("uploads", "ListMultipartUploads")):
            if part in query:
                return name, ""
    for part in _BUCKET_PARTS:
        if part in query:
            name = _NAMES.get(part, part.capitalize())
            return f"{_VERBS.get(method, 'Unknown')}Bucket{name}", part
    if method == "GET":
        return ("ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"), ""
    plain = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
    return plain.get(method, "Unknown"), ""


def check_bucket_name(name: str) -> None:
    """Raise for a name that no bucket can have."""
    is_bad = not _BUCKET.fullmatch(name) or ".." in name or name.startswith("xn--")
    if is_bad or re.fullmatch(r"[\d.]+", name) or name.endswith(("-s3alias", "--ol-s3")):
        raise s3_error("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
