"""The bytes of an upload: decoded, verified against signature and digests, and written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from runctl.localcloud.http.messages import Request
from runctl.localcloud.s3.checksums import (
    DEFAULT,
    Digest,
    check,
    encode,
    new_digest,
    told_checksum,
    wanted_algorithm,
)
from runctl.localcloud.s3.chunks import Source, Trust, open_source, told_digest
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.pumping import Take, pump

_DOCUMENT_BYTES = 2 << 20


@dataclass(slots=True)
class Received:
    """What came in."""

    size: int
    md5: bytes
    algorithm: str
    checksum: str
    told: str
    """The algorithm of the checksum that the client has sent; empty where it sent none."""


class Digests:
    """All that is computed of the bytes while they pass by."""

    def __init__(self, request: Request, kept: str | None) -> None:
        wanted = wanted_algorithm(request.headers, kept or DEFAULT)
        self.algorithm = kept or wanted
        self._sha256 = told_digest(request)
        names = {self.algorithm, wanted}
        self._checksums: dict[str, Digest] = {name: new_digest(name) for name in names}
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._signed = hashlib.sha256() if self._sha256 is not None else None
        self.takers: list[Take] = [self._md5.update]
        self.takers += [one.update for one in self._checksums.values()]
        if self._signed is not None:
            self.takers.append(self._signed.update)

    def finish(
        self, headers: Mapping[str, str], source: Source, size: int, *, has_checksum: bool = True
    ) -> Received:
        """Raise where the bytes are not what the client has said of them."""
        if self._signed is not None and self._signed.hexdigest() != self._sha256:
            raise s3_error(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        _check_size(headers, size)
        _check_md5(headers.get("content-md5"), self._md5.digest())
        computed = {name: encode(one.digest()) for name, one in self._checksums.items()}
        all_told = {**headers, **source.trailers} if source.trailers else headers
        told = told_checksum(all_told) if has_checksum else None
        if told is not None and told[0] not in computed:
            raise s3_error("MalformedTrailerError", "The trailer was not announced.")
        if told is not None:
            check(*told, computed[told[0]])
        kept = computed[self.algorithm]
        return Received(
            size, self._md5.digest(), self.algorithm, kept, told[0] if told is not None else ""
        )


def receive(
    request: Request, trust: Trust, descriptor: int, algorithm: str | None = None
) -> Received:
    """Write the body into a file; raise where it is not what the client has said of it.

    ``algorithm`` is that of the checksum to keep; None for the one that the client has chosen.
    """
    source = open_source(request, trust)
    digests = Digests(request, algorithm)
    size = pump(source, descriptor, digests.takers, request.body.length)
    return digests.finish(request.headers, source, size)


def read_document(request: Request, trust: Trust, *, has_checksum: bool = True) -> bytes:
    """Return the body of a request whose body is a document, verified like any other."""
    source = open_source(request, trust)
    digests = Digests(request, None)
    body = source.read_all(_DOCUMENT_BYTES)
    for take in digests.takers:
        take(memoryview(body))
    digests.finish(request.headers, source, len(body), has_checksum=has_checksum)
    return body


def _check_size(headers: Mapping[str, str], size: int) -> None:
    told = headers.get("x-amz-decoded-content-length")
    if told is not None and told != str(size):
        raise s3_error(
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        )


def _check_md5(told: str | None, computed: bytes) -> None:
    if told is None:
        return
    try:
        wanted = base64.b64decode(told, validate=True)
    except ValueError:
        wanted = b""
    if len(wanted) != 16:
        raise s3_error("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if wanted != computed:
        raise s3_error("BadDigest", "The Content-MD5 you specified did not match what we received.")
