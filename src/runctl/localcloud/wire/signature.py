"""Signature Version 4: who has signed a request, and whether it is true.

Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference, and
"Create a signed AWS API request" of the IAM user guide.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from runctl.localcloud.http.messages import Request
from runctl.localcloud.wire.errors import AwsError

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest()
BODY_LIMIT_BYTES = 4 << 20
"""Of every service but S3, whose bodies are never held."""
_SKEW_S = 900
_LONGEST_S = 604800
_SAFE = "-_.~"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request says of its signature; nothing of it is verified yet."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    expires_s: int | None
    """Of a presigned URL; None where the header is signed."""


def credential_scope(request: Request) -> Scope | None:
    """Read the signature off the header or the query; None for a request that has none."""
    header = request.headers.get("authorization", "")
    if header.startswith(ALGORITHM):
        return _of_header(request, header)
    if "X-Amz-Signature=" in request.query:
        return _of_query(request)
    return None


def _of_header(request: Request, header: str) -> Scope:
    parts = dict(part.strip().partition("=")[::2] for part in header[len(ALGORITHM) :].split(","))
    missing = {"Credential", "SignedHeaders", "Signature"} - set(parts)
    if missing:
        raise AwsError(
            "IncompleteSignature", f"Authorization header requires {min(missing)!r}", 400
        )
    stamp = request.headers.get("x-amz-date", "")
    token = request.headers.get("x-amz-security-token")
    return _scope(parts["Credential"], parts["SignedHeaders"], parts["Signature"], stamp, token)


def _of_query(request: Request) -> Scope:
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        return _scope(
            given["X-Amz-Credential"],
            given["X-Amz-SignedHeaders"],
            given["X-Amz-Signature"],
            given["X-Amz-Date"],
            given.get("X-Amz-Security-Token"),
            expires_s=int(given["X-Amz-Expires"]),
        )
    except (KeyError, ValueError) as error:
        raise AwsError(
            "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters.",
        ) from error


def _scope(
    credential: str,
    headers: str,
    signature: str,
    stamp: str,
    token: str | None,
    *,
    expires_s: int | None = None,
) -> Scope:
    try:
        key, date, region, service, end = credential.rsplit("/", 4)
    except ValueError:
        end = ""
    if end != "aws4_request":
        raise AwsError(
            "IncompleteSignature", "Credential must have exactly 5 slash-delimited parts"
        )
    names = tuple(headers.lower().split(";"))
    return Scope(key, date, region, service, names, signature, stamp, token, expires_s)


def verify(request: Request, scope: Scope, secret: str, now: float) -> None:
    """Raise what AWS answers to a signature that is wrong, too old, or of a time to come."""
    _check_time(scope, now)
    wanted = sign(request, scope, secret)
    if not hmac.compare_digest(wanted, scope.signature):
        raise AwsError(
            "SignatureDoesNotMatch" if scope.service != "ecr" else "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            403,
        )


def _check_time(scope: Scope, now: float) -> None:
    try:
        moment = datetime.strptime(scope.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AwsError("AccessDenied", "AWS authentication requires a valid Date", 403) from None
    signed_at = moment.timestamp()
    if scope.expires_s is not None:
        if now > signed_at + min(scope.expires_s, _LONGEST_S):
            raise AwsError("AccessDenied", "Request has expired", 403)
    elif abs(now - signed_at) > _SKEW_S:
        code = "RequestTimeTooSkewed" if scope.service == "s3" else "SignatureDoesNotMatch"
        raise AwsError(
            code, "The difference between the request time and the current time is too large.", 403
        )


def sign(request: Request, scope: Scope, secret: str) -> str:
    """Return the signature that a request should have."""
    digest = hashlib.sha256(_canonical(request, scope).encode()).hexdigest()
    place = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{scope.timestamp}\n{place}\n{digest}"
    key = signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=256)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Derive the key of a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical(request: Request, scope: Scope) -> str:
    headers = "".join(f"{name}:{_header(request, name)}\n" for name in scope.signed_headers)
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path, scope.service),
            _canonical_query(request.query),
            headers,
            ";".join(scope.signed_headers),
            payload_of(request, scope),
        )
    )


def payload_of(request: Request, scope: Scope) -> str:
    """Return what the signature says of the body: a digest, or why there is none."""
    if scope.service not in ("s3", "s3express"):
        return _digest_of_body(request)
    return request.headers.get("x-amz-content-sha256", UNSIGNED)


def _digest_of_body(request: Request) -> str:
    """Return the digest of a body that is small enough to be held: of all services but S3."""
    if request.body.length == 0:
        return _EMPTY
    if request.body.length is None or request.body.length > BODY_LIMIT_BYTES:
        raise AwsError("RequestEntityTooLarge", "The body of the request is too large.", 413)
    held = HeldBody(request.body.read())
    request.body = held
    return hashlib.sha256(held.data).hexdigest()


class HeldBody:
    """A body that was read once already, to be read again."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.length: int | None = len(data)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        end = len(self.data) if size < 0 else self._at + size
        piece = self.data[self._at : end]
        self._at += len(piece)
        return piece

    def readinto(self, buffer: memoryview) -> int:
        """Fill a part of the buffer."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _header(request: Request, name: str) -> str:
    return " ".join(request.headers.get(name, "").split())


def _canonical_path(path: str, service: str) -> str:
    plain = quote(unquote_to_bytes(path), safe="/" + _SAFE)
    return plain if service == "s3" else quote(plain, safe="/" + _SAFE)


def _canonical_query(query: str) -> str:
    # A plus stands for a space in a query; signed it is as %20. A plus itself arrives as %2B.
    parts = (part.replace("+", " ").partition("=") for part in query.split("&") if part)
    pairs = [
        (quote(unquote_to_bytes(name), safe=_SAFE), quote(unquote_to_bytes(value), safe=_SAFE))
        for name, _, value in parts
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
