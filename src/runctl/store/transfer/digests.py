"""Digests of files and bytes, in the forms in which stores tell theirs."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator

from runctl.store.transfer.far import Algorithm, Digest, FarObject

_BLOCK_BYTES = 1024**2
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


def etag_digest(found: FarObject) -> Digest | None:
    """Return the MD5 that an ETag is, unless it is that of a multipart upload.

    Under a key of KMS it has the same form and is no MD5: that it differs proves nothing yet.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    told = _MD5.fullmatch(found.etag)
    return Digest("md5", ((found.size_bytes, bytes.fromhex(told[1])),)) if told else None


def is_of_bytes(digest: Digest, data: bytes) -> bool:
    """Tell whether these are the bytes of a digest."""
    start = 0
    for size, told in digest.pieces:
        if hash_blocks([memoryview(data)[start : start + size]], digest.algorithm) != told:
            return False
        start += size
    return start == len(data)


def is_of_file(digest: Digest, path: str) -> bool:
    """Tell whether a file holds the bytes of a digest; it is read once, block by block."""
    start = 0
    with open(path, "rb", buffering=0) as file:
        for size, told in digest.pieces:
            if hash_blocks(read_blocks(file.fileno(), start, size), digest.algorithm) != told:
                return False
            start += size
        return os.fstat(file.fileno()).st_size == start


def read_blocks(descriptor: int, start: int, size: int) -> Iterator[memoryview]:
    """Yield what a file holds from ``start`` on, through one buffer."""
    buffer = memoryview(bytearray(min(size, _BLOCK_BYTES)))
    end = start + size
    while start < end:
        count = os.preadv(descriptor, [buffer[: end - start]], start)
        if not count:
            return
        start += count
        yield buffer[:count]


def hash_blocks(blocks: Iterable[bytes | memoryview], algorithm: Algorithm) -> bytes:
    """Return the digest of bytes that follow one another."""
    if algorithm == "crc32":
        value = 0
        for block in blocks:
            value = zlib.crc32(block, value)
        return value.to_bytes(4, "big")
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    for block in blocks:
        hasher.update(block)
    return hasher.digest()
