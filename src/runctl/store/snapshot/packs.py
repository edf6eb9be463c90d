"""Packs: many small things as one blob, each under its SHA-256.

A pack is one zstd frame over: how many pieces there are (4 bytes, big-endian), for each its
digest and size (32 + 4 bytes), then the pieces end to end.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping

import zstandard

from runctl.errors import SnapshotMismatch

PACK_BYTES = 8 * 1024**2
PACK_PIECES = 8192
_LEVEL = 3
_COUNT, _INDEX = struct.Struct(">I"), struct.Struct(">32sI")
_LARGEST = PACK_BYTES + _COUNT.size + PACK_PIECES * _INDEX.size


def pack(pieces: Mapping[str, bytes]) -> bytes:
    """Return the pack of pieces by their digest: at most PACK_BYTES and PACK_PIECES."""
    index = (_INDEX.pack(bytes.fromhex(sha256), len(data)) for sha256, data in pieces.items())
    raw = b"".join((_COUNT.pack(len(pieces)), *index, *pieces.values()))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(raw)


def unpack(data: bytes) -> Iterator[tuple[str, memoryview]]:
    """Yield each piece with its digest, to which it was held.

    Raises SnapshotMismatch for what is no pack, or would be larger than one.
    """
    raw = memoryview(_decompress(data))
    for sha256, start, end in _read_index(raw):
        piece = raw[start:end]
        if hashlib.sha256(piece).hexdigest() != sha256:
            raise SnapshotMismatch(f"a pack holds other bytes than its piece {sha256}")
        yield sha256, piece


def _decompress(data: bytes) -> bytes:
    try:
        size_bytes = zstandard.get_frame_parameters(data).content_size
        if not _COUNT.size <= size_bytes <= _LARGEST:
            raise SnapshotMismatch(f"a pack says that it holds {size_bytes} bytes")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise SnapshotMismatch(f"a pack cannot be read: {error}") from error


def _read_index(raw: memoryview) -> Iterator[tuple[str, int, int]]:
    """Yield the digest of each piece, and where it begins and ends."""
    (count,) = _COUNT.unpack_from(raw)
    start = _COUNT.size + count * _INDEX.size
    if start > len(raw):
        raise SnapshotMismatch(f"a pack has no room for the {count} pieces that it names")
    for digest, size_bytes in _INDEX.iter_unpack(raw[_COUNT.size : start]):
        if start + size_bytes > len(raw):
            raise SnapshotMismatch("a pack holds fewer bytes than it names")
        yield digest.hex(), start, start + size_bytes
        start += size_bytes
