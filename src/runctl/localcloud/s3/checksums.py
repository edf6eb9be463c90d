"""Checksums: computed while bytes come in, compared, and told."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from awscrt import checksums as crt

from runctl.localcloud.s3.errors import s3_error

_PREFIX = "x-amz-checksum-"
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
DEFAULT = "CRC64NVME"
_HEADERS = {one: _PREFIX + one.lower() for one in ALGORITHMS}
_WIDTHS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
_COMBINE = {
    "CRC32": crt.combine_crc32,
    "CRC32C": crt.combine_crc32c,
    "CRC64NVME": crt.combine_crc64nvme,
}
FULL_OBJECT = tuple(_COMBINE)
"""The algorithms whose checksum of a whole follows from those of its parts."""


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
    return _HEADERS[algorithm]


def told_checksum(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the algorithm and the checksum that headers, or trailers, tell."""
    told = [(one, headers[name]) for one, name in _HEADERS.items() if name in headers]
    if len(told) > 1:
        words = (
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
        raise s3_error("InvalidRequest", words)
    for algorithm, value in told:
        if _width(value) != _WIDTHS[algorithm]:
            words = f"Value for {header_of(algorithm)} header is invalid."
            raise s3_error("InvalidRequest", words)
    return told[0] if told else None


def _width(value: str) -> int:
    """Return how many bytes a checksum has; that of a composite one ends in its parts' number."""
    try:
        return len(base64.b64decode(value.partition("-")[0], validate=True))
    except ValueError:
        return -1


def wanted_algorithm(headers: Mapping[str, str], default: str = DEFAULT) -> str:
    """Return the algorithm that an upload is verified with."""
    told = told_checksum(headers)
    if told is not None:
        return told[0]
    trailer = headers.get("x-amz-trailer", "").lower().removeprefix(_PREFIX).upper()
    named = headers.get("x-amz-sdk-checksum-algorithm") or headers.get("x-amz-checksum-algorithm")
    wanted = (trailer or named or default).upper()
    if wanted not in ALGORITHMS:
        words = "Checksum algorithm provided is unsupported. Please try again with any of the valid"
        raise s3_error("InvalidRequest", f"{words} types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    return wanted


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


def combine(algorithm: str, parts: list[tuple[str, int]]) -> str:
    """Return the checksum of a whole by the checksums and sizes of its parts."""
    value = 0
    for text, size in parts:
        part = int.from_bytes(base64.b64decode(text), "big")
        value = _COMBINE[algorithm](value, part, size)
    return encode(value.to_bytes(_WIDTHS[algorithm], "big"))
