"""Warnings of checkpoints that are too rare, or too slow for a notice: once, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.agent.journal import Journal
from runctl.agent.saving_alarm import SavingAlarm
from runctl.model.events import CheckpointCommitted, Warned
from runctl.store.ledger import Ledger
from tests.records import RUN_ID, FakeClock
from tests.stores import MemoryObjects


class FakeTime:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    monkeypatch.setattr("runctl.agent.saving_alarm.time", made)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", Ledger(MemoryObjects()), RUN_ID, 1, FakeClock())


def commit(journal: Journal, lag_seconds: float = 1.0) -> None:
    journal.append(
        CheckpointCommitted(
            name="c", seq=1, step=1, size_bytes=1, sent_bytes=1, written_ns=1,
            lag_seconds=lag_seconds,
        )
    )  # fmt: skip


def warned(journal: Journal) -> list[str]:
    return [body.code for body in journal.bodies if isinstance(body, Warned)]


def test_half_an_hour_without_a_checkpoint_is_told_once(time: FakeTime, journal: Journal) -> None:
    alarm = SavingAlarm(journal, is_spot=False)
    for passed_s, expected in ((1790, []), (1800, ["rare-checkpoints"])):
        time.now = 1000.0 + passed_s
        alarm.look()
        assert warned(journal) == expected
    time.now += 5000
    alarm.look()
    assert warned(journal) == ["rare-checkpoints"]


def test_a_checkpoint_begins_the_time_anew(time: FakeTime, journal: Journal) -> None:
    alarm = SavingAlarm(journal, is_spot=False)
    time.now += 1700
    commit(journal)
    alarm.look()
    time.now += 1700
    alarm.look()
    assert warned(journal) == []


@pytest.mark.parametrize(
    ("lag_s", "is_spot", "expected"),
    [(51, True, ["slow-checkpoints"]), (50, True, []), (51, False, [])],
)
def test_what_is_stored_too_slowly_for_a_notice_is_told(
    time: FakeTime, journal: Journal, lag_s: float, is_spot: bool, expected: list[str]
) -> None:
    alarm = SavingAlarm(journal, is_spot=is_spot)
    commit(journal, lag_s)
    for _ in range(2):
        alarm.look()
        time.now += 10
    assert warned(journal) == expected
