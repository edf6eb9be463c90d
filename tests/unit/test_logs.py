"""The log: frames that any zstd reads, chunks that may overlap, damage that is named."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from runctl.errors import RecordError
from runctl.store.logs import CHUNK_BYTES, Chunk, Log, pack_frame, unpack_frames
from tests.records import NOW, RUN_ID
from tests.stores import MemoryObjects

LINES = [b"epoch %d loss 0.5\n" % number for number in range(60)]
WHOLE = b"".join(LINES)


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def log(objects: MemoryObjects) -> Log:
    return Log(objects, RUN_ID, 1)


def ship(log: Log, *pieces: bytes, start: int = 0) -> list[Chunk]:
    chunks = []
    for piece in pieces:
        chunks.append(log.append(start, pack_frame(piece, NOW), len(piece)))
        start += len(piece)
    return chunks


def read(log: Log, position: int = 0) -> bytes:
    return b"".join(frame.data for frame in log.read(position))


def test_what_was_shipped_is_read(log: Log) -> None:
    ship(log, *LINES)
    assert read(log) == WHOLE
    frames = list(log.read())
    assert [frame.data for frame in frames] == LINES
    assert {frame.shipped_at for frame in frames} == {NOW.replace(microsecond=123000)}
    assert [frame.start for frame in frames[:2]] == [0, len(LINES[0])]


def test_an_empty_log_is_empty(log: Log) -> None:
    assert (read(log), read(log, 7), log.chunks()) == (b"", b"", [])


@pytest.mark.parametrize("position", [0, 1, 17, 18, 500, len(WHOLE) - 1, len(WHOLE), 9999])
def test_reading_begins_at_any_position(log: Log, position: int) -> None:
    ship(log, *LINES)
    assert read(log, position) == WHOLE[position:]
    log.compact(log.chunks()[10:50])
    assert read(log, position) == WHOLE[position:]


def test_reading_goes_on_where_it_ended(log: Log) -> None:
    ship(log, *LINES[:7])
    got = read(log)
    ship(log, *LINES[7:], start=len(got))
    assert got + read(log, len(got)) == WHOLE


def test_a_gap_ends_what_can_be_read(log: Log) -> None:
    chunks = ship(log, *LINES)
    log_objects = log._objects
    log_objects.delete(chunks[3].key)
    assert read(log) == b"".join(LINES[:3])


def test_logs_of_other_attempts_and_ranks_are_others(objects: MemoryObjects, log: Log) -> None:
    ship(log, b"mine")
    ship(Log(objects, RUN_ID, 2), b"later")
    ship(Log(objects, RUN_ID, 1, rank=1), b"rank 1")
    assert read(log) == b"mine"


def test_compaction_keeps_every_byte_and_one_chunk(log: Log, objects: MemoryObjects) -> None:
    whole = log.compact(ship(log, *LINES))
    assert [chunk.key for chunk in log.chunks()] == [whole.key] == list(objects.contents)
    assert read(log) == WHOLE
    assert [frame.data for frame in log.read()] == LINES


def test_compacting_one_chunk_loses_nothing(log: Log) -> None:
    (chunk,) = ship(log, WHOLE)
    assert log.compact([chunk]) == chunk
    assert read(log) == WHOLE


def test_a_crash_during_compaction_shows_nothing_twice(log: Log, objects: MemoryObjects) -> None:
    chunks = ship(log, *LINES)
    before = dict(objects.contents)
    log.compact(chunks[5:20])
    for key, data in list(before.items())[8:]:  # as if it had been killed before these deletes
        objects.put(key, data)
    assert read(log) == WHOLE


def test_a_reader_is_not_disturbed_by_a_compaction_under_its_eyes(log: Log) -> None:
    chunks = ship(log, *LINES)
    got = b""
    for number, frame in enumerate(log.read()):
        got += frame.data
        if number == 3:
            log.compact(chunks[:30])
        if number == 20:
            log.compact(log.chunks())
    assert got == WHOLE


def test_a_chunk_that_vanishes_after_the_listing_is_looked_for_again(
    log: Log, objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = ship(log, *LINES)
    get = objects.get
    is_done: list[bool] = []

    def compact_before(key: str) -> bytes:
        if not is_done:
            is_done.append(True)
            log.compact(chunks)
        return get(key)

    monkeypatch.setattr(objects, "get", compact_before)
    assert read(log) == WHOLE


# -- the format


def test_zstd_reads_a_chunk_as_one_stream(log: Log, objects: MemoryObjects) -> None:
    whole = log.compact(ship(log, *LINES))
    stream = io.BytesIO(objects.get(whole.key))
    reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    assert reader.read() == WHOLE


def test_a_frame_says_when_it_was_shipped_and_how_long_it_is() -> None:
    magic, payload, time_ms, raw, packed = struct.unpack_from("<II qQQ", pack_frame(b"a" * 9, NOW))
    assert (magic, payload, raw) == (0x184D2A50, 24, 9)
    assert packed == len(pack_frame(b"a" * 9, NOW)) - 32
    assert datetime.fromtimestamp(time_ms / 1000, UTC) - NOW < timedelta(milliseconds=1)


def test_small_chunks_are_not_waited_for_and_large_ones_are_durable(
    log: Log, objects: MemoryObjects
) -> None:
    ship(log, b"small")
    objects.lose_power()
    assert log.chunks() == []
    ship(log, b"x" * CHUNK_BYTES)
    objects.lose_power()
    assert len(log.chunks()) == 1


# -- damage


def damages(data: bytes) -> Iterator[bytes]:
    for length in range(len(data)):
        yield data[:length]
    for at in range(len(data)):
        for bit in (1, 0x80):
            changed = bytearray(data)
            changed[at] ^= bit
            yield bytes(changed)


def test_every_damage_to_a_chunk_is_a_record_error_or_harmless(
    log: Log, objects: MemoryObjects
) -> None:
    """Harmless: the time of shipping, which no checksum covers, and nothing else."""
    whole = log.compact(ship(log, *LINES[:3]))
    data, expected = objects.get(whole.key), b"".join(LINES[:3])
    refusals = []
    for damaged in damages(data):
        objects.damage(whole.key, damaged)
        for position in (0, 20, len(expected) - 1):
            try:
                assert read(log, position) == expected[position:]
            except RecordError as error:
                refusals.append(error.message)
    assert len(refusals) > 3 * len(data)
    assert all(whole.key in message for message in refusals)


def test_a_foreign_object_is_refused() -> None:
    for data in (b"hello", b"\0" * 64, zstandard.compress(WHOLE)):
        with pytest.raises(RecordError, match="chunk-key"):
            list(unpack_frames(data, 0, key="chunk-key"))


def test_a_frame_that_claims_to_be_huge_is_not_allocated() -> None:
    frame = bytearray(pack_frame(b"a" * 9, NOW))
    struct.pack_into("<Q", frame, 16, 1 << 50)
    with pytest.raises(RecordError):
        list(unpack_frames(bytes(frame), 0, key="k"))
