"""Events reach the ledger in order, each once, whatever the disk and the network do."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runctl.agent import journal as journal_module
from runctl.agent.journal import Journal, read_journal, retry_until_done
from runctl.errors import TransportError
from runctl.model.events import AttemptEnded, Body, Cause, Warned
from runctl.store.ledger import Ledger
from tests.records import RUN_ID, FakeClock
from tests.stores import FaultyObjects, MemoryObjects, network_lost_for

GUARD_S = 30.0


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RETRY_S", 0.0)


@pytest.fixture
def disk() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def objects(disk: MemoryObjects) -> FaultyObjects:
    return FaultyObjects(disk)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def open_journal(path: Path, objects: FaultyObjects) -> Journal:
    """An agent comes up, and opens what an earlier one may have left."""
    journal = Journal(path, Ledger(objects), RUN_ID, 1, FakeClock())
    journal.start()
    return journal


def warning(number: int) -> Warned:
    return Warned(code="w", message=str(number))


def append(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.append(warning(number))
    assert journal.flush(GUARD_S)


def told(objects: FaultyObjects) -> list[int]:
    """The numbers that the ledger tells, in its order."""
    ledger = Ledger(objects)
    bodies = [ledger.event(key).body for key in ledger.event_keys(RUN_ID, 1)]
    return [int(body.message) for body in bodies if isinstance(body, Warned)]


def noted(journal: Journal) -> list[int]:
    return [int(body.message) for body in journal.bodies if isinstance(body, Warned)]


def test_events_arrive_in_order(path: Path, objects: FaultyObjects) -> None:
    journal = open_journal(path, objects)
    append(journal, *range(30))
    assert told(objects) == noted(journal) == list(range(30))


def test_an_event_is_on_the_disk_before_it_is_sent(path: Path, objects: FaultyObjects) -> None:
    journal = Journal(path, Ledger(objects), RUN_ID, 1, FakeClock())
    journal.append(warning(1))
    assert [entry.event.body for entry in read_journal(path)] == [warning(1)]
    assert told(objects) == []
    assert not journal.flush(0.0)


def test_events_of_many_threads_are_each_told_once(path: Path, objects: FaultyObjects) -> None:
    journal = open_journal(path, objects)

    def tell(first: int) -> None:
        for number in range(first, first + 9):
            journal.append(warning(number))

    threads = [threading.Thread(target=tell, args=[100 * n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.flush(GUARD_S)
    assert sorted(told(objects)) == [100 * n + i for n in range(6) for i in range(9)]
    assert told(objects) == noted(journal)


# -- the network


@pytest.mark.parametrize("is_answer_lost", [False, True])
def test_a_network_that_is_down_costs_only_time(
    path: Path, objects: FaultyObjects, is_answer_lost: bool
) -> None:
    objects.fault = network_lost_for(range(3, 40))
    objects.is_answer_lost = is_answer_lost
    append(open_journal(path, objects), *range(10))
    assert told(objects) == list(range(10))


def test_every_kind_of_failure_of_the_store_is_tried_again(
    path: Path, objects: FaultyObjects
) -> None:
    faults = [OSError(28, "No space left"), TransportError("cut off"), TimeoutError()]
    objects.fault = lambda number: faults[number - 1] if number <= len(faults) else None
    append(open_journal(path, objects), 1, 2)
    assert told(objects) == [1, 2]


def test_the_end_of_an_attempt_survives_a_power_loss(
    path: Path, objects: FaultyObjects, disk: MemoryObjects
) -> None:
    journal = open_journal(path, objects)
    end: Body = AttemptEnded(cause=Cause.STOP)
    journal.append(end)
    assert journal.flush(GUARD_S)
    disk.lose_power()
    ledger = Ledger(disk)
    assert [ledger.event(key).body for key in ledger.event_keys(RUN_ID, 1)] == [end]


# -- an agent that comes back


def test_a_restart_tells_nothing_twice(path: Path, objects: FaultyObjects) -> None:
    append(open_journal(path, objects), 1, 2)
    for number in (3, 4, 5):
        append(open_journal(path, objects), number)
    assert told(objects) == [1, 2, 3, 4, 5]


def test_what_was_not_sent_before_is_sent_by_the_next(path: Path, objects: FaultyObjects) -> None:
    journal = Journal(path, Ledger(objects), RUN_ID, 1, FakeClock())
    journal.append(warning(1))
    journal.append(warning(2))
    append(open_journal(path, objects), 3)
    assert told(objects) == [1, 2, 3]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_dropped_and_swallows_nothing(
    path: Path, objects: FaultyObjects, cut: int
) -> None:
    append(open_journal(path, objects), 1, 2)
    path.write_bytes(path.read_bytes()[:-cut])
    second = open_journal(path, objects)
    assert noted(second) == [1]
    append(second, 3)
    third = open_journal(path, objects)
    assert noted(third) == [1, 3], "what was noted behind a torn line must be read again"
    append(third, 4)
    assert told(objects) == [1, 2, 3, 4]


def test_restarts_after_a_torn_line_tell_nothing_twice(path: Path, objects: FaultyObjects) -> None:
    """The event behind the torn one is stored under another number than the journal's."""
    append(open_journal(path, objects), 1, 2, 3)
    path.write_bytes(path.read_bytes()[:-5])
    append(open_journal(path, objects), 4)
    for _ in range(3):
        assert open_journal(path, objects).flush(GUARD_S)
    assert told(objects) == [1, 2, 3, 4]


@pytest.mark.parametrize("lost", range(1, 8))
def test_an_answer_lost_behind_a_torn_line_tells_nothing_twice(
    path: Path, objects: FaultyObjects, lost: int
) -> None:
    append(open_journal(path, objects), 1, 2)
    path.write_bytes(path.read_bytes()[:-5])
    objects.is_answer_lost = True
    first = objects.writes + lost
    objects.fault = network_lost_for(range(first, first + 2))
    append(open_journal(path, objects), 3, 4)
    assert told(objects) == [1, 2, 3, 4]


def test_a_journal_that_was_lost_goes_on_behind_what_was_told(
    path: Path, objects: FaultyObjects
) -> None:
    append(open_journal(path, objects), 1, 2, 3)
    path.unlink()
    append(open_journal(path, objects), 4, 5)
    assert told(objects) == [1, 2, 3, 4, 5]


def test_what_the_ledger_forgot_is_told_again(
    path: Path, objects: FaultyObjects, disk: MemoryObjects
) -> None:
    append(open_journal(path, objects), 1, 2, 3)
    disk.lose_power()
    assert told(objects) == []
    append(open_journal(path, objects), 4)
    assert told(objects) == [1, 2, 3, 4]


def test_a_full_disk_does_not_cost_the_event(objects: FaultyObjects, tmp_path: Path) -> None:
    append(open_journal(tmp_path / "no such folder" / "journal", objects), 1, 2)
    assert told(objects) == [1, 2]


def test_binary_rubbish_in_the_journal_is_passed_over(path: Path, objects: FaultyObjects) -> None:
    append(open_journal(path, objects), 1)
    path.write_bytes(path.read_bytes() + b"\n\0\xff\r{}\n[]")
    append(open_journal(path, objects), 2)
    assert told(objects) == [1, 2]


# -- retrying


def test_retrying_ends_when_it_is_told_to() -> None:
    ended, calls = threading.Event(), []

    def fail() -> None:
        calls.append(1)
        if len(calls) == 3:
            ended.set()
        raise ConnectionError

    assert not retry_until_done(fail, is_ended=ended)
    assert len(calls) == 3


def test_a_fault_of_ours_is_not_retried_for_ever() -> None:
    with pytest.raises(ZeroDivisionError):
        retry_until_done(lambda: 1 // 0)
