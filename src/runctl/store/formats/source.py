"""Bounded reading: bytes come in order, exactly as many as asked for, or not at all."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from runctl.errors import FormatNotJudged, IntegrityError

CHUNK_BYTES = 1 << 20
LZMA_MEMORY_BYTES = 96 << 20
EXPANSION_FLOOR_BYTES = 4 << 30
EXPANSION_RATIO = 20
FOREIGN_MAGICS = (b"\x04\x22\x4d\x18", b"ZF0x")


class Source(Protocol):
    """A stream of bytes; every method raises IntegrityError where the bytes run out."""

    def read(self, count: int) -> bytes: ...
    def skip(self, count: int) -> None: ...
    def line(self, limit: int) -> bytes:
        """Up to and with the next newline, which must come within ``limit`` bytes."""

    def tell(self) -> int: ...
    def is_at_end(self) -> bool: ...


class FileSource:
    """The bytes ``start`` to ``end`` of an open file; skipping costs a seek, not a read."""

    def __init__(self, handle: BinaryIO, start: int = 0, end: int | None = None) -> None:
        self._handle = handle
        self._end = handle.seek(0, 2) if end is None else end
        self._start = self._at = start
        if start > self._end:
            raise IntegrityError(f"ends at byte {self._end}: byte {start} is beyond it")
        handle.seek(start)

    def read(self, count: int) -> bytes:
        if count > self._end - self._at:
            raise self._torn(count)
        data = self._handle.read(count)
        self._at += count
        if len(data) != count:
            raise self._torn(count)
        return data

    def skip(self, count: int) -> None:
        if count > self._end - self._at:
            raise self._torn(count)
        self._at += count
        self._handle.seek(self._at)

    def line(self, limit: int) -> bytes:
        data = self._handle.readline(min(limit, self._end - self._at))
        self._at += len(data)
        if not data.endswith(b"\n"):
            raise IntegrityError(f"a line that begins before byte {self._at} does not end")
        return data

    def tell(self) -> int:
        return self._at - self._start

    def is_at_end(self) -> bool:
        return self._at >= self._end

    def _torn(self, count: int) -> IntegrityError:
        left = max(self._end - self._at, 0)
        return IntegrityError(
            f"ends at byte {self._end}: {count} more were due and {left} are left"
        )


class StreamSource:
    """The bytes of an iterator of chunks, each of them bounded; skipping reads and forgets."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self._read = 0

    def read(self, count: int) -> bytes:
        if count <= len(self._chunk) - self._at:
            data = self._chunk[self._at : self._at + count]
            self._advance(count)
            return data
        parts: list[bytes] = []
        self._take(count, parts)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        self._take(count, None)

    def line(self, limit: int) -> bytes:
        data = bytearray()
        while len(data) < limit:
            data += self.read(1)
            if data.endswith(b"\n"):
                return bytes(data)
        raise IntegrityError(f"a line that begins before byte {self._read} does not end")

    def tell(self) -> int:
        return self._read

    def is_at_end(self) -> bool:
        while self._at >= len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return True
            self._chunk, self._at = chunk, 0
        return False

    def _take(self, count: int, parts: list[bytes] | None) -> None:
        while count > 0:
            if self.is_at_end():
                raise IntegrityError(f"ends at byte {self._read} of its content: {count} more due")
            size = min(count, len(self._chunk) - self._at)
            if parts is not None:
                parts.append(self._chunk[self._at : self._at + size])
            self._advance(size)
            count -= size

    def _advance(self, count: int) -> None:
        self._at += count
        self._read += count


class Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class ZlibDecoder:
    """zlib's decompressor with the interface of bz2's and lzma's."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


AnyDecoder = ZlibDecoder | bz2.BZ2Decompressor | lzma.LZMADecompressor


def decoder_for(head: bytes) -> AnyDecoder | None:
    """The decompressor that the first bytes call for, or None when they are not compressed."""
    if head.startswith(b"\x1f\x8b"):
        return ZlibDecoder(31)
    if head[:1] == b"\x78" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        return ZlibDecoder(15)
    if head.startswith(b"BZh"):
        return bz2.BZ2Decompressor()
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES)
    return None


def expand(handle: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The content of a compressed file in pieces of at most 1 MiB.

    IntegrityError where the stream is cut or its checksum is wrong; FormatNotJudged where it
    expands beyond all measure, or needs more memory than runctl grants.
    """
    limit = max(EXPANSION_FLOOR_BYTES, EXPANSION_RATIO * size_bytes)
    handle.seek(0)
    data = handle.read(CHUNK_BYTES)
    while data:
        decoder = decoder_for(data)
        if decoder is None:
            raise IntegrityError("has bytes after the end of its compressed content")
        for piece in _pieces(decoder, data, handle):
            limit -= len(piece)
            if limit < 0:
                raise FormatNotJudged("expands to far more than its size: not read through")
            yield piece
        data = decoder.unused_data or handle.read(CHUNK_BYTES)


def _pieces(decoder: AnyDecoder, data: bytes, handle: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            piece = decoder.decompress(data, CHUNK_BYTES)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise _broken(error) from error
        if piece:
            yield piece
        if decoder.eof:
            return
        data = handle.read(CHUNK_BYTES) if decoder.needs_input else b""
        if not data and decoder.needs_input and not piece:
            raise IntegrityError("ends in the middle of its compressed content")


def _broken(error: Exception) -> IntegrityError:
    if isinstance(error, lzma.LZMAError) and "memory" in str(error).lower():
        return FormatNotJudged("needs more memory to expand than runctl grants")
    return IntegrityError(f"its compressed content is damaged: {error}")


def open_source(handle: BinaryIO) -> Source:
    """The content of a file that may be compressed, from its first byte.

    FormatNotJudged where it is compressed in a way that the standard library cannot undo.
    """
    size_bytes = handle.seek(0, 2)
    handle.seek(0)
    head = handle.read(16)
    if head.startswith(FOREIGN_MAGICS):
        raise FormatNotJudged("is compressed with lz4, or by a very old joblib: not read through")
    if decoder_for(head) is None:
        return FileSource(handle, 0, size_bytes)
    return StreamSource(expand(handle, size_bytes))
