"""However a log is cut, framed and compacted, it reads back as it was, from any position."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runctl.store.logs import Chunk, Log, pack_frame
from tests.records import NOW, RUN_ID
from tests.stores import MemoryObjects

PIECES = st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=20)


def ship(log: Log, frames: list[list[bytes]]) -> bytes:
    """Ship each list of frames as one chunk; return the whole log."""
    whole = b""
    for group in frames:
        data = b"".join(group)
        log.append(len(whole), b"".join(pack_frame(each, NOW) for each in group), len(data))
        whole += data
    return whole


def compact_some(log: Log, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(0, 3))):
        chunks = adjoining(log.chunks())
        first = data.draw(st.integers(0, len(chunks) - 1))
        last = data.draw(st.integers(first, len(chunks) - 1))
        if first < last:
            log.compact(chunks[first : last + 1])


def adjoining(chunks: list[Chunk]) -> list[Chunk]:
    """The longest row in which each begins where the one before ends."""
    row = chunks[:1]
    for chunk in chunks[1:]:
        if chunk.start == row[-1].end:
            row.append(chunk)
    return row


@given(data=st.data(), groups=st.lists(PIECES, min_size=1, max_size=6))
def test_any_cutting_and_compaction_reads_back(
    data: st.DataObject, groups: list[list[bytes]]
) -> None:
    log = Log(MemoryObjects(), RUN_ID, 1)
    whole = ship(log, groups)
    compact_some(log, data)
    position = data.draw(st.integers(0, len(whole) + 2))
    frames = list(log.read(position))
    assert b"".join(frame.data for frame in frames) == whole[position:]
    starts = [frame.start for frame in frames]
    lengths = [len(frame.data) for frame in frames]
    assert starts == [position + sum(lengths[:n]) for n in range(len(frames))]


@given(data=st.data(), groups=st.lists(PIECES, min_size=2, max_size=6))
def test_compaction_between_any_two_frames_is_not_seen(
    data: st.DataObject, groups: list[list[bytes]]
) -> None:
    log = Log(MemoryObjects(), RUN_ID, 1)
    whole, got = ship(log, groups), b""
    for frame in log.read():
        got += frame.data
        compact_some(log, data)
    assert got == whole


@given(data=st.data(), groups=st.lists(PIECES, min_size=1, max_size=5))
def test_what_an_unfinished_compaction_leaves_is_not_seen(
    data: st.DataObject, groups: list[list[bytes]]
) -> None:
    objects = MemoryObjects()
    log = Log(objects, RUN_ID, 1)
    whole = ship(log, groups)
    before = objects.contents
    compact_some(log, data)
    for key in data.draw(st.sets(st.sampled_from(sorted(before)))):
        objects.put(key, before[key])
    assert b"".join(frame.data for frame in log.read()) == whole
