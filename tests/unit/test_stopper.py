"""Ending the command: SIGTERM to the process once, grace, then SIGKILL to all; and its end read."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runctl.agent.folder import AttemptFolder
from runctl.agent.journal import Journal
from runctl.agent.link import ReaperLink
from runctl.agent.orders import Order
from runctl.agent.stopper import Stopper, explain_exit, read_exit
from runctl.errors import RecordError
from runctl.model.events import Cause, CommandExited, ExitRecord, StopBegun, Trouble
from runctl.store.ledger import Ledger
from tests.records import RUN_ID, FakeClock, make_exit
from tests.stores import MemoryObjects

GRACE = timedelta(seconds=30)
STOP = Order(Cause.STOP, "asked for")
STOP_NOW = Order(Cause.STOP, "asked for", is_now=True)
TERM = ("SIGTERM", "process")
KILL = ("SIGKILL", "group")


class FakeTime:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Recorder(ReaperLink):
    def __init__(self) -> None:
        super().__init__(-1, -1)
        self.sent: list[tuple[str, str]] = []

    def send_signal(self, number: signal.Signals, *, is_group: bool) -> None:
        self.sent.append((number.name, "group" if is_group else "process"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr("runctl.agent.stopper.time", clock)
    return clock


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", Ledger(MemoryObjects()), RUN_ID, 1, FakeClock())


@pytest.fixture
def link() -> Recorder:
    return Recorder()


def test_without_an_order_nothing_is_done(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    Stopper(link, journal, GRACE).enforce(None)
    assert (link.sent, journal.bodies) == ([], [])


def test_sigterm_goes_to_the_process_once_and_sigkill_to_all_after_the_grace(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    stopper = Stopper(link, journal, GRACE)
    for elapsed in (0.0, 0.1, 29.9):
        clock.now = 1000.0 + elapsed
        stopper.enforce(STOP)
        assert link.sent == [TERM]
    clock.now = 1030.0
    stopper.enforce(STOP)
    assert link.sent == [TERM, KILL]
    assert journal.bodies == [StopBegun(cause=Cause.STOP, reason="asked for", is_now=False)]


def test_sigkill_is_said_again_but_not_at_every_look(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    stopper = Stopper(link, journal, timedelta(0))
    for tenth in range(21):
        clock.now = 1000.0 + tenth / 10
        stopper.enforce(STOP)
    assert link.sent == [TERM, KILL, KILL, KILL]


def test_now_means_sigkill_without_sigterm(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    Stopper(link, journal, GRACE).enforce(STOP_NOW)
    assert link.sent == [KILL]
    assert journal.bodies == [StopBegun(cause=Cause.STOP, reason="asked for", is_now=True)]


def test_a_stop_can_be_made_urgent(clock: FakeTime, journal: Journal, link: Recorder) -> None:
    stopper = Stopper(link, journal, GRACE)
    stopper.enforce(STOP)
    stopper.enforce(STOP_NOW)
    assert link.sent == [TERM, KILL]
    assert len(journal.bodies) == 1


def test_an_agent_that_comes_back_does_not_signal_twice(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    Stopper(link, journal, GRACE).enforce(STOP)
    again = Stopper(link, journal, GRACE)
    again.enforce(STOP)
    assert (link.sent, len(journal.bodies)) == ([TERM], 1)
    clock.now += 30
    again.enforce(STOP)
    assert link.sent == [TERM, KILL]


def test_the_signal_may_be_another(clock: FakeTime, journal: Journal, link: Recorder) -> None:
    Stopper(link, journal, GRACE, "SIGUSR1").enforce(STOP)
    assert link.sent == [("SIGUSR1", "process")]
    [told] = journal.bodies
    assert isinstance(told, StopBegun)
    assert told.signal == "SIGUSR1"


def test_half_of_what_a_deadline_leaves_is_for_storing(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    stopper = Stopper(link, journal, GRACE)
    order = Order(Cause.INTERRUPTED, "taken back", deadline=1020.0)
    for elapsed in (0.0, 5.0, 9.9):
        clock.now = 1000.0 + elapsed
        stopper.enforce(order)
        assert link.sent == [TERM]
    for elapsed, kills in ((10.0, 1), (10.5, 1), (11.0, 2)):
        clock.now = 1000.0 + elapsed
        stopper.enforce(order)
        assert link.sent == [TERM, *[KILL] * kills]


def test_a_deadline_gives_no_more_than_the_grace(
    clock: FakeTime, journal: Journal, link: Recorder
) -> None:
    stopper = Stopper(link, journal, GRACE)
    order = Order(Cause.INTERRUPTED, "taken back", deadline=1120.0)
    stopper.enforce(order)
    clock.now = 1030.0
    stopper.enforce(order)
    assert link.sent == [TERM, KILL]


def test_what_hangs_gets_the_signal_that_shows_where(
    clock: FakeTime, link: Recorder, journal: Journal
) -> None:
    stopper = Stopper(link, journal, GRACE)
    stopper.enforce(Order(Cause.TROUBLE, "it hangs", trouble=Trouble.HANG, signal="SIGABRT"))
    assert link.sent == [("SIGABRT", "group")]
    [begun] = [body for body in journal.bodies if isinstance(body, StopBegun)]
    assert (begun.signal, begun.trouble) == ("SIGABRT", Trouble.HANG)
    assert clock.now == 1000.0


# -- how it ended


def test_a_trouble_that_is_known_needs_no_guess() -> None:
    told = CommandExited(exit=make_exit(None, 9), trouble=Trouble.OOM)
    assert explain_exit(told) == "the command was ended by SIGKILL"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (make_exit(0), "the command exited with status 0"),
        (make_exit(3), "the command exited with status 3"),
        (make_exit(None, 15), "the command was ended by SIGTERM"),
        (make_exit(None, 9), "ended by SIGKILL; runctl did not send it; most often memory"),
        (make_exit(None, 40), "the command was ended by signal 40"),
        (make_exit(127, error="No such file: 'x'"), "could not be started: No such file: 'x'"),
    ],
)
def test_an_end_is_explained(record: ExitRecord, words: str) -> None:
    assert words in explain_exit(CommandExited(exit=record))


def test_a_core_dump_is_told() -> None:
    told = CommandExited(exit=msgspec.structs.replace(make_exit(None, 11), is_core_dumped=True))
    assert "SIGSEGV, core dumped; a fault in native code" in explain_exit(told)


@pytest.mark.parametrize("number", range(1, 65))
def test_no_signal_is_too_odd_to_explain(number: int) -> None:
    told = CommandExited(exit=make_exit(None, number))
    assert explain_exit(told).startswith("the command was ended by ")


def test_the_reaper_s_record_is_read(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path)
    found = {"status": 3, "signal": None, "started_at": 10.0, "ended_at": 12.5, "seconds": 2.5}
    folder.exit.write_text(json.dumps(found))
    record = read_exit(folder)
    assert (record.status, record.signal, record.seconds) == (3, None, 2.5)
    assert record.ended_at - record.started_at == timedelta(seconds=2.5)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    folder = AttemptFolder(tmp_path)
    if content is not None:
        folder.exit.write_bytes(content)
    with pytest.raises(RecordError, match=r"exit\.json"):
        read_exit(folder)
