"""The bytes of an upload: decoded, verified against signature and digests, and written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.localcloud.http.messages import Body, Request
from runctl.localcloud.s3.checksums import (
    check,
    encode,
    new_digest,
    told_checksums,
    wanted_algorithm,
)
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.wire.signature import ALGORITHM, Scope, signing_key

_BUFFER = 1 << 20
_EMPTY = hashlib.sha256(b"").hexdigest()
_LINE_BYTES = 16 << 10


@dataclass(slots=True)
class Received:
    """What came in."""

    size: int
    md5: bytes
    algorithm: str
    checksum: str


@dataclass(slots=True)
class Trust:
    """What is needed to verify the chunks of a streamed signature."""

    scope: Scope | None
    secret: str


def receive(request: Request, trust: Trust, descriptor: int) -> Received:
    """Write the body into a file; raise where it is not what the client has said of it."""
    headers = request.headers
    source = open_source(request, trust)
    algorithm = wanted_algorithm(headers)
    md5, checksum = hashlib.md5(usedforsecurity=False), new_digest(algorithm)
    told = headers.get("x-amz-content-sha256", "")
    sha256 = hashlib.sha256() if len(told) == 64 else None
    takers: list[Callable[[memoryview], object]] = [md5.update, checksum.update]
    if sha256 is not None:
        takers.append(sha256.update)
    size = _pump(source, descriptor, takers)
    if sha256 is not None and sha256.hexdigest() != told:
        raise s3_error(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    _check_md5(headers.get("content-md5"), md5.digest())
    computed = encode(checksum.digest())
    for name, value in told_checksums({**headers, **source.trailers}).items():
        check(name, value, computed if name == algorithm else value)
    return Received(size, md5.digest(), algorithm, computed)


def _pump(source: Source, descriptor: int, takers: list[Callable[[memoryview], object]]) -> int:
    space = memoryview(bytearray(_BUFFER))
    size = 0
    while count := source.readinto(space):
        piece = space[:count]
        for take in takers:
            take(piece)
        written = 0
        while written < count:
            written += os.write(descriptor, piece[written:])
        size += count
    return size


def _check_md5(told: str | None, computed: bytes) -> None:
    if told is None:
        return
    try:
        wanted = base64.b64decode(told, validate=True)
    except binascii.Error:
        wanted = b""
    if len(wanted) != 16:
        raise s3_error("InvalidDigest", "The Content-MD5 you specified is not valid.")
    if wanted != computed:
        raise s3_error("BadDigest", "The Content-MD5 you specified did not match what we received.")


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
        space = memoryview(bytearray(_BUFFER))
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
    is_signed = "AWS4-HMAC-SHA256" in told
    if is_signed and trust.scope is None:
        raise s3_error("AccessDenied", "Access Denied")
    return ChunkedSource(request.body, ChunkSignatures(trust) if is_signed else None)


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
        size, _, extension = self._line().partition(b";")
        self._signature = extension.partition(b"=")[2].decode("ascii", "replace")
        try:
            self._left = int(size, 16)
        except ValueError as error:
            raise s3_error("InvalidRequest", "The chunks cannot be read.") from error
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
