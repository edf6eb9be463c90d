"""Checksums: computed while bytes come in, compared, and told."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from awscrt import checksums as crt

from runctl.localcloud.s3.errors import s3_error

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
DEFAULT = "CRC64NVME"
_PREFIX = "x-amz-checksum-"


class Digest(Protocol):
    """Takes bytes, and tells a digest of all of them."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, compute: Callable[[bytes, int], int], width: int) -> None:
        self._compute = compute
        self._width = width
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._compute(data, self._value)  # type: ignore[arg-type]

    def digest(self) -> bytes:
        return (self._value & ((1 << 8 * self._width) - 1)).to_bytes(self._width, "big")


def new_digest(algorithm: str) -> Digest:
    """Return a digest of an algorithm, nothing taken yet."""
    if algorithm == "CRC32":
        return _Crc(zlib.crc32, 4)
    if algorithm == "CRC32C":
        return _Crc(crt.crc32c, 4)
    if algorithm == "CRC64NVME":
        return _Crc(crt.crc64nvme, 8)
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def header_of(algorithm: str) -> str:
    """Return the name of the header that holds a checksum."""
    return _PREFIX + algorithm.lower()


def told_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums that headers, or trailers, hold, by algorithm."""
    return {one: headers[header_of(one)] for one in ALGORITHMS if header_of(one) in headers}


def wanted_algorithm(headers: Mapping[str, str]) -> str:
    """Return the algorithm that an upload is to be kept with."""
    trailer = headers.get("x-amz-trailer", "").lower().removeprefix(_PREFIX).upper()
    for one in (*told_checksums(headers), trailer):
        if one in ALGORITHMS:
            return one
    named = headers.get("x-amz-sdk-checksum-algorithm") or headers.get("x-amz-checksum-algorithm")
    if named and named.upper() not in ALGORITHMS:
        raise s3_error("InvalidRequest", f"Checksum algorithm {named} is not supported.")
    return named.upper() if named else DEFAULT


def encode(digest: bytes) -> str:
    """Return a digest as S3 tells it."""
    return base64.b64encode(digest).decode()


def check(algorithm: str, told: str, computed: str) -> None:
    """Raise where the client has sent other bytes than it says."""
    if told != computed:
        raise s3_error(
            "BadDigest",
            f"The {algorithm} you specified did not match the calculated checksum.",
        )


def composite(algorithm: str, parts: list[str]) -> str:
    """Return the checksum of checksums of a multipart upload, with the number of parts."""
    digest = new_digest(algorithm)
    for part in parts:
        digest.update(base64.b64decode(part))
    return f"{encode(digest.digest())}-{len(parts)}"
