"""The plain bytes of a body; the coding ``aws-chunked`` with its signatures and trailers.

Source: "Signature calculations for the Authorization header: transferring payload in multiple
chunks" and "… with trailing headers" of the Amazon S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from runctl.localcloud.http.messages import Body, Request
from runctl.localcloud.s3.errors import S3Error, bad_argument, s3_error
from runctl.localcloud.wire.signature import ALGORITHM, Scope, signing_key

_EMPTY = hashlib.sha256(b"").hexdigest()
_LINE_BYTES = 16 << 10
_DOCUMENT_PIECE = 64 << 10
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
_STREAMING = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
)


@dataclass(slots=True)
class Trust:
    """What is needed to verify the chunks of a streamed signature."""

    scope: Scope | None
    secret: str


class Source:
    """The plain bytes of a body, in whatever coding they come."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.trailers: dict[str, str] = {}

    def readinto(self, space: memoryview) -> int:
        """Fill as much of the space as there is."""
        count = 0
        while count < len(space):
            got = self._body.readinto(space[count:])
            if not got:
                break
            count += got
        return count

    def read_all(self, limit: int) -> bytes:
        """Return everything, of a body that is small."""
        found = bytearray()
        space = memoryview(bytearray(_DOCUMENT_PIECE))
        while count := self.readinto(space):
            found += space[:count]
            if len(found) > limit:
                raise s3_error("EntityTooLarge", "Your proposed upload is too large.")
        return bytes(found)


def open_source(request: Request, trust: Trust) -> Source:
    """Return the plain bytes of a request's body."""
    told = request.headers.get("x-amz-content-sha256", "")
    if not told.startswith("STREAMING-"):
        return Source(request.body)
    if told not in _STREAMING:
        raise _unknown_digest(told)
    is_signed = "AWS4-HMAC-SHA256" in told
    if is_signed and trust.scope is None:
        raise s3_error("AccessDenied", "Access Denied")
    return ChunkedSource(request.body, ChunkSignatures(trust) if is_signed else None)


def told_digest(request: Request) -> str | None:
    """Return the SHA-256 that the signature covers; None where it covers no body."""
    told = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    if told == "UNSIGNED-PAYLOAD" or told in _STREAMING:
        return None
    if not re.fullmatch("[0-9a-f]{64}", told):
        raise _unknown_digest(told)
    return told


def _unknown_digest(told: str) -> S3Error:
    return bad_argument(
        "x-amz-content-sha256",
        told,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a "
        "valid sha256 value.",
    )


@dataclass(slots=True)
class ChunkSignatures:
    """Verifies each chunk by the signature of the one before."""

    trust: Trust
    previous: str = field(init=False)
    _key: bytes = field(init=False)
    _scope: str = field(init=False)

    def __post_init__(self) -> None:
        scope = self.trust.scope
        assert scope is not None  # noqa: S101 - only what is signed has signed chunks
        self.previous = scope.signature
        self._key = signing_key(self.trust.secret, scope.date, scope.region, scope.service)
        self._scope = f"{scope.timestamp}\n{scope.date}/{scope.region}/{scope.service}/aws4_request"

    def verify_chunk(self, digest: str, signature: str) -> None:
        self._verify(f"{ALGORITHM}-PAYLOAD", f"{_EMPTY}\n{digest}", signature)

    def verify_trailer(self, text: bytes, signature: str) -> None:
        self._verify(f"{ALGORITHM}-TRAILER", hashlib.sha256(text).hexdigest(), signature)

    def _verify(self, kind: str, rest: str, signature: str) -> None:
        text = f"{kind}\n{self._scope}\n{self.previous}\n{rest}"
        wanted = hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, signature):
            raise s3_error(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
            )
        self.previous = signature


class ChunkedSource(Source):
    """The coding ``aws-chunked``: sizes, perhaps signatures, and trailers at the end."""

    def __init__(self, body: Body, signatures: ChunkSignatures | None) -> None:
        super().__init__(body)
        self._signatures = signatures
        self._ahead = b""
        self._left = 0
        self._is_done = False
        self._signature = ""
        self._digest = hashlib.sha256()

    def readinto(self, space: memoryview) -> int:
        count = 0
        while count < len(space) and not self._is_done:
            if not self._left:
                self._next_chunk()
                continue
            got = self._take(space[count : count + self._left])
            if self._signatures is not None:
                self._digest.update(space[count : count + got])
            count += got
            self._left -= got
            if not self._left:
                self._end_chunk()
        return count

    def _next_chunk(self) -> None:
        line = self._line()
        if not line:
            raise s3_error("IncompleteBody", "The body ends before its last chunk.")
        size, _, extension = line.partition(b";")
        self._signature = extension.partition(b"=")[2].decode("ascii", "replace")
        if not _SIZE.fullmatch(size):
            raise s3_error("InvalidRequest", "The chunks cannot be read.")
        self._left = int(size, 16)
        if not self._left:
            self._check_chunk()
            self._read_trailers()
            self._is_done = True

    def _end_chunk(self) -> None:
        if self._line():
            raise s3_error("IncompleteBody", "A chunk is longer than it says.")
        self._check_chunk()

    def _check_chunk(self) -> None:
        if self._signatures is not None:
            self._signatures.verify_chunk(self._digest.hexdigest(), self._signature)
            self._digest = hashlib.sha256()

    def _read_trailers(self) -> None:
        signed = b""
        while line := self._line():
            name, _, value = line.partition(b":")
            text = value.strip().decode("ascii", "replace")
            if name.lower() == b"x-amz-trailer-signature":
                if self._signatures is not None:
                    self._signatures.verify_trailer(signed, text)
                continue
            signed += name + b":" + value.strip() + b"\n"
            self.trailers[name.decode("ascii", "replace").lower()] = text

    def _take(self, space: memoryview) -> int:
        if self._ahead:
            count = min(len(space), len(self._ahead))
            space[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        count = self._body.readinto(space)
        if not count:
            raise s3_error("IncompleteBody", "The body ends before its last chunk.")
        return count

    def _line(self) -> bytes:
        while b"\r\n" not in self._ahead:
            piece = self._body.read(512)
            if not piece:
                line, self._ahead = self._ahead, b""
                return line
            self._ahead += piece
            if len(self._ahead) > _LINE_BYTES:
                raise s3_error("InvalidRequest", "The chunks cannot be read.")
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return line
