"""The log of an attempt, as bytes: chunks named by their offset, compressed with zstd.

A chunk is a row of frames; before each stands a skippable frame with the time of
shipping and both lengths, so that ``zstdcat`` reads a chunk, compaction is concatenation,
and a reader seeks without decompressing. Chunks may overlap while they are compacted:
the reader goes by offsets, so that nothing is shown twice or dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import zstandard

from runctl.errors import ObjectMissing, RecordError
from runctl.model.paths import RunPaths
from runctl.store.objects import Objects

CHUNK_BYTES = 4 * 1024**2
FRAME_BYTES = 64 * 1024**2  # no frame is larger
_HEADER = struct.Struct("<II qQQ")  # magic, payload length; time (ms), raw and packed lengths
_MAGIC = 0x184D2A50
_PAYLOAD_BYTES = _HEADER.size - 8


@dataclass(frozen=True)
class Frame:
    """Bytes of the log that were shipped at once. ``start`` is their offset in the log."""

    start: int
    shipped_at: datetime
    data: bytes


@dataclass(frozen=True)
class Chunk:
    """An object of the log: ``length`` bytes of it, from ``start`` on."""

    key: str
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def pack_frame(data: bytes, shipped_at: datetime) -> bytes:
    """Compress bytes of the log into one frame with its header."""
    packed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)
    time_ms = int(shipped_at.timestamp() * 1000)
    return _HEADER.pack(_MAGIC, _PAYLOAD_BYTES, time_ms, len(data), len(packed)) + packed


def unpack_frames(chunk: bytes, start: int, *, skip_to: int = 0, key: str = "") -> Iterator[Frame]:
    """Yield the frames of a chunk that end after the offset ``skip_to``."""
    position = 0
    while position < len(chunk):
        time_ms, raw_length, packed_length = _read_header(chunk, position, key)
        position += _HEADER.size
        packed = chunk[position : position + packed_length]
        _check_lengths(packed, raw_length, packed_length, key)
        if start + raw_length > skip_to:
            yield Frame(start, _time(time_ms, key), _decompress(packed, key))
        position += packed_length
        start += raw_length


def _read_header(chunk: bytes, position: int, key: str) -> tuple[int, int, int]:
    if len(chunk) - position < _HEADER.size:
        raise RecordError(f"log chunk {key} is cut short", key=key)
    magic, payload, time_ms, raw_length, packed_length = _HEADER.unpack_from(chunk, position)
    if magic != _MAGIC or payload != _PAYLOAD_BYTES:
        raise RecordError(f"log chunk {key} is not a log chunk", key=key)
    return time_ms, raw_length, packed_length


def _check_lengths(packed: bytes, raw_length: int, packed_length: int, key: str) -> None:
    """Hold our header to zstd's own: a length that is wrong must not be believed, or allocated."""
    if len(packed) < packed_length:
        raise RecordError(f"log chunk {key} is cut short", key=key)
    try:
        found = zstandard.frame_content_size(packed)
    except zstandard.ZstdError as error:
        raise RecordError(f"log chunk {key} is damaged: {error}", key=key) from error
    if found != raw_length or raw_length > FRAME_BYTES:
        raise RecordError(f"log chunk {key} is damaged: {found} bytes, not {raw_length}", key=key)


def _decompress(packed: bytes, key: str) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RecordError(f"log chunk {key} is damaged: {error}", key=key) from error


def _time(time_ms: int, key: str) -> datetime:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise RecordError(f"log chunk {key} is damaged: {error}", key=key) from error


class Log:
    """The log of one attempt in the store."""

    def __init__(self, objects: Objects, run_id: str, attempt: int, rank: int = 0) -> None:
        self._objects = objects
        self._paths = RunPaths(run_id)
        self._attempt = attempt
        self._rank = rank

    @property
    def url(self) -> str:
        """The place of the store that the log is in."""
        return self._objects.url

    def chunks(self) -> list[Chunk]:
        """Return the chunks in order; of two that start together, the longer first."""
        infos = self._objects.list(self._paths.logs(self._attempt, self._rank))
        chunks = [_chunk(info.key) for info in infos]
        return sorted(chunks, key=lambda chunk: (chunk.start, -chunk.length))

    def append(self, start: int, frames: bytes, length: int) -> Chunk:
        """Store frames that hold ``length`` bytes of the log, from ``start`` on."""
        key = self._paths.log_chunk(self._attempt, start, length, self._rank)
        self._objects.put(key, frames, durable=length >= CHUNK_BYTES)
        return Chunk(key, start, length)

    def compact(self, chunks: list[Chunk]) -> Chunk:
        """Make one chunk of several that adjoin, then delete them."""
        if len(chunks) == 1:
            return chunks[0]
        frames = b"".join(self._objects.get(chunk.key) for chunk in chunks)
        whole = self.append(chunks[0].start, frames, chunks[-1].end - chunks[0].start)
        for chunk in chunks:
            if chunk.key != whole.key:  # a chunk of no bytes would not change the name
                self._objects.delete(chunk.key)
        return whole

    def read(self, position: int = 0) -> Iterator[Frame]:
        """Yield what is there from the offset ``position`` on, without a gap, until the end."""
        is_there_more = True
        while is_there_more:
            is_there_more = False
            for chunk in self.chunks():
                if not chunk.start <= position < chunk.end:
                    continue
                is_there_more = True
                try:
                    data = self._objects.get(chunk.key)
                except ObjectMissing:
                    break  # compacted under our eyes: look again
                yield from _frames_from(data, chunk, position)
                position = chunk.end


def _frames_from(data: bytes, chunk: Chunk, position: int) -> Iterator[Frame]:
    """Yield the frames of a chunk from an offset on, or raise RecordError if some are missing."""
    for frame in unpack_frames(data, chunk.start, skip_to=position, key=chunk.key):
        yield _cut(frame, position)
        position = frame.start + len(frame.data)
    if position != chunk.end:
        raise RecordError(f"log chunk {chunk.key} ends at {position}", key=chunk.key)


def _cut(frame: Frame, position: int) -> Frame:
    if frame.start >= position:
        return frame
    return Frame(position, frame.shipped_at, frame.data[position - frame.start :])


def _chunk(key: str) -> Chunk:
    start, length = key.rpartition("/")[2].removesuffix(".zst").split("-")
    return Chunk(key, int(start), int(length))
