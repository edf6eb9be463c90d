"""The log on its way: every byte, in order, in few objects, across restarts and lost networks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runctl.agent import journal as journal_module
from runctl.agent.shipper import TIER_COUNT, TIERS, Shipper
from runctl.store.logs import CHUNK_BYTES, Log
from tests.records import RUN_ID, FakeClock
from tests.stores import FaultyObjects, MemoryObjects, network_lost_for

MOST_SMALL_CHUNKS = TIERS * TIER_COUNT


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RETRY_S", 0.0)


@pytest.fixture
def objects() -> FaultyObjects:
    return FaultyObjects(MemoryObjects())


@pytest.fixture
def log(objects: FaultyObjects) -> Log:
    return Log(objects, RUN_ID, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def ship_all(path: Path, log: Log) -> Shipper:
    """One agent's whole life: take up, ship, end."""
    shipper = Shipper(path, log, FakeClock())
    shipper.start()
    assert shipper.finish(lambda: False)
    return shipper


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def read(log: Log) -> bytes:
    return b"".join(frame.data for frame in log.read())


def line(number: int) -> bytes:
    return b"step %d loss 0.5\n" % number


def test_the_last_bytes_are_shipped_without_a_newline(path: Path, log: Log) -> None:
    write(path, b"first\nlast words")
    assert ship_all(path, log).shipped_bytes == 16
    assert read(log) == b"first\nlast words"


def test_nothing_printed_is_nothing_shipped(path: Path, log: Log) -> None:
    assert ship_all(path, log).shipped_bytes == 0
    path.touch()
    ship_all(path, log)
    assert log.chunks() == []


@pytest.mark.parametrize("data", [b"\0\xff\r\n" * 100, b"x" * 70_000], ids=["binary", "one line"])
def test_bytes_are_only_bytes(path: Path, log: Log, data: bytes) -> None:
    write(path, data)
    ship_all(path, log)
    assert read(log) == data


def test_a_burst_is_shipped_in_chunks_of_the_largest_size(path: Path, log: Log) -> None:
    data = os.urandom(5_000_000)
    write(path, data)
    ship_all(path, log)
    assert [chunk.length for chunk in log.chunks()] == [CHUNK_BYTES, 5_000_000 - CHUNK_BYTES]
    assert read(log) == data


def test_many_small_appends_cost_few_objects(path: Path, log: Log) -> None:
    shipper, most = Shipper(path, log, FakeClock()), 0
    for number in range(1200):
        write(path, line(number))
        assert shipper._ship_available()
        most = max(most, len(log.chunks()) if number % 50 == 0 else 0)
    assert not shipper._ship_available()
    assert most <= MOST_SMALL_CHUNKS
    assert len(log.chunks()) <= MOST_SMALL_CHUNKS
    assert read(log) == b"".join(map(line, range(1200)))


def test_a_mixture_keeps_order_and_stays_bounded(path: Path, log: Log) -> None:
    shipper, whole = Shipper(path, log, FakeClock()), b""
    for turn in range(300):
        size = (1, 5, 200_000, 90, 30_000)[turn % 5]
        data = bytes([turn % 251]) * size
        write(path, data)
        whole += data
        shipper._ship_available()
    assert read(log) == whole
    assert len(log.chunks()) <= MOST_SMALL_CHUNKS + len(whole) // CHUNK_BYTES


def test_what_is_shipped_is_seen_at_once(path: Path, log: Log) -> None:
    shipper = Shipper(path, log, FakeClock())
    for number in range(70):
        write(path, line(number))
        shipper._ship_available()
        assert read(log) == b"".join(map(line, range(number + 1)))


@pytest.mark.parametrize("restarts", [[0], [1, 2, 3], [40, 41, 90]])
def test_an_agent_that_comes_back_leaves_no_gap_and_repeats_nothing(
    path: Path, log: Log, restarts: list[int]
) -> None:
    shipper = Shipper(path, log, FakeClock())
    for number in range(120):
        if number in restarts:
            shipper = Shipper(path, log, FakeClock())
            shipper._recover()
        write(path, line(number))
        shipper._ship_available()
    write(path, b"the end")
    ship_all(path, log)
    assert read(log) == b"".join(map(line, range(120))) + b"the end"


def test_an_agent_that_comes_back_sends_nothing_again(
    path: Path, log: Log, objects: FaultyObjects
) -> None:
    write(path, b"sent before")
    ship_all(path, log)
    before = list(objects.written_keys)
    assert ship_all(path, log).shipped_bytes == 11
    assert objects.written_keys == before
    write(path, b", and after")
    ship_all(path, log)
    assert [chunk.start for chunk in log.chunks()] == [0, 11]


@pytest.mark.parametrize("is_answer_lost", [False, True])
@pytest.mark.parametrize("first", [1, 2, 31, 32, 33, 34, 50, 65, 66, 70])
def test_a_lost_network_drops_and_repeats_nothing(
    path: Path, log: Log, objects: FaultyObjects, first: int, is_answer_lost: bool
) -> None:
    """Around the 32nd write stands a compaction: it may fail at its put or at any delete."""
    objects.fault = network_lost_for(range(first, first + 5))
    objects.is_answer_lost = is_answer_lost
    shipper = Shipper(path, log, FakeClock())
    for number in range(100):
        write(path, line(number))
        shipper._ship_available()
        if abs(objects.writes - first) < 8:
            assert read(log) == b"".join(map(line, range(number + 1)))
    assert read(log) == b"".join(map(line, range(100)))


def test_shipping_can_be_given_up(path: Path, log: Log, objects: FaultyObjects) -> None:
    objects.fault = network_lost_for(range(1, 1_000_000))
    write(path, b"words that no longer count")
    shipper = Shipper(path, log, FakeClock())
    shipper.start()
    assert not shipper.finish(lambda: True)
    objects.fault = lambda _: None
    assert shipper.finish(lambda: False)
