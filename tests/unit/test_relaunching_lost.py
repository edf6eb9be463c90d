"""What goes on of runs that nobody on their instance looks after, though it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as replace_session
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from runctl.aws.account import Account
from runctl.engine import due as due_runs
from runctl.engine import outcome, relaunching, resuming, there
from runctl.engine.placing import Placement
from runctl.engine.relaunching import relaunch
from runctl.engine.session import Session
from runctl.errors import ConfigError, NotFoundError, StoppedOnRequest
from runctl.model.events import (
    AttemptEnded,
    Body,
    Cause,
    CommandExited,
    Heartbeat,
    Request,
    RequestKind,
)
from runctl.model.instance import InstanceState, Rental
from runctl.model.run import Run, State
from runctl.model.terms import NextAttempt, Terms
from tests.instances import FakeProvider, make_instance
from tests.records import NOW, RUN_ID, make_claim, make_event, make_exit
from tests.unit.test_engine_looking import STARTED, World
from tests.unit.test_relaunching import INTERRUPTED, RETRIED, add, due


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return World(tmp_path).session


class Silent:
    """The instance is there, and no process of ours on it; ``started`` has what was started.

    An agent that is revived tells ``ends``.
    """

    def __init__(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session, self.started = session, list[int]()
        self.ends: list[Body] = []
        for place in (due_runs, outcome, relaunching, resuming):
            monkeypatch.setattr(place, "is_revivable", lambda *_: True)
        for place in (due_runs, resuming):
            monkeypatch.setattr(place, "will_retry", lambda *_: False)
        monkeypatch.setattr(outcome, "is_alive", lambda *_: False)
        monkeypatch.setattr(resuming, "has_started", lambda _, run: run.last.host is not None)
        monkeypatch.setattr(resuming, "revive", self._revive)
        monkeypatch.setattr(resuming, "start_attempt", self._start)

    def _revive(self, session: Session, run: Run) -> None:
        for seq, body in enumerate(self.ends, 7):
            event = make_event(body, len(run.attempts))
            session.ledger.append_event(run.run_id, "agent", seq, event, durable=True)

    def _start(self, *given: object, **_: object) -> None:
        self.started.append(given[3])  # type: ignore[arg-type]


@pytest.fixture
def silent(session: Session, monkeypatch: pytest.MonkeyPatch) -> Silent:
    return Silent(session, monkeypatch)


def told_exit(status: int) -> list[Body]:
    return [CommandExited(exit=make_exit(status)), AttemptEnded(cause=Cause.EXIT)]


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([AttemptEnded(cause=Cause.LIMIT)], State.LIMIT),
        ([AttemptEnded(cause=Cause.STOP)], State.STOPPED),
        ([AttemptEnded(cause=Cause.PHASE)], State.FAILED),
        (told_exit(1), State.FAILED),
        (told_exit(0), State.SUCCEEDED),
    ],
)
def test_what_a_lost_attempt_tells_once_it_is_revived_may_be_final(
    silent: Silent, ends: list[Body], state: State
) -> None:
    session = silent.session
    add(session, STARTED, limits=replace(RETRIED, retry_on=("lost", "interruption")))
    silent.ends = ends
    told: list[str] = []
    assert relaunch(session, RUN_ID, told.append) is None
    assert (silent.started, len(session.ledger.claims(RUN_ID))) == ([], 1)
    assert session.ledger.load(RUN_ID).state is state
    assert told[-1] == f"attempt 1 has told its end: {state.value}"


def test_what_is_lost_all_the_same_goes_on(silent: Silent) -> None:
    add(silent.session, STARTED)
    silent.ends = [AttemptEnded(cause=Cause.LOST)]
    run = relaunch(silent.session, RUN_ID, lambda _: None)
    assert run is not None
    assert (silent.started, len(run.attempts)) == ([2], 2)


def test_an_attempt_that_was_claimed_and_never_started_is_started(silent: Silent) -> None:
    session = silent.session
    add(session, STARTED, INTERRUPTED)
    session.ledger.claim(RUN_ID, make_claim(2, instance="i-2"))
    assert due(session) == [(RUN_ID, 2)]  # though no retry is left
    relaunch(session, RUN_ID, lambda _: None)
    assert (silent.started, len(session.ledger.claims(RUN_ID))) == ([2], 2)


@pytest.mark.parametrize("changes", [{"attempt": 3}, {"resume_from": "runs/x"}])
def test_one_that_was_claimed_by_hand_is_left_to_who_did(
    silent: Silent, changes: dict[str, object]
) -> None:
    session = silent.session
    add(session, STARTED, INTERRUPTED)
    second = AttemptEnded(cause=Cause.STOP)
    if "attempt" in changes:
        session.ledger.claim(RUN_ID, make_claim(2, instance="i-2"))
        session.ledger.append_event(RUN_ID, "agent", 1, make_event(second, 2), durable=True)
    session.ledger.claim(RUN_ID, make_claim(**{"attempt": 2, "instance": "i-3", **changes}))  # type: ignore[arg-type]
    assert due(session) == []


def test_the_time_of_a_lost_attempt_counts_until_its_last_sign_of_life(silent: Silent) -> None:
    session = silent.session
    add(session, STARTED, limits=replace(RETRIED, max_time=timedelta(hours=3)))
    assert due(session) == [(RUN_ID, 2)]
    sign = Heartbeat(
        at=NOW + timedelta(hours=3), attempt=1, phase=None, log_bytes=0, rss_bytes=1,
        disk_free_bytes=1, load=0.0,
    )  # fmt: skip
    session.ledger.beat(RUN_ID, sign)
    assert due(session) == []


def test_a_stop_that_is_asked_for_while_an_instance_is_rented_holds(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = silent.session
    add(session, STARTED, INTERRUPTED)

    @contextmanager
    def rent_slowly(*_: object) -> Iterator[Placement]:
        stop = Request(
            request_id="r", requested_at=NOW, attempt=1, kind=RequestKind.STOP, is_now=False,
            reason="stopped on request",
        )  # fmt: skip
        session.ledger.put_request(RUN_ID, stop)
        yield Placement("i-2")

    monkeypatch.setattr(resuming, "_placed", rent_slowly)
    with pytest.raises(StoppedOnRequest):
        resuming.resume(session, RUN_ID, NextAttempt(), Terms(tell=lambda _: None))
    assert (silent.started, len(session.ledger.claims(RUN_ID))) == ([], 1)
    assert due(session) == []


@pytest.mark.parametrize(("region", "is_known"), [("us-east-1", True), ("eu-west-1", False)])
def test_an_instance_is_gone_only_if_its_own_region_says_so(
    session: Session, monkeypatch: pytest.MonkeyPatch, region: str, is_known: bool
) -> None:
    rental = Rental(
        type="m5.large", place="us-east-1a", is_spot=True, usd_per_hour=Decimal(1), since=NOW
    )
    run = add(session, STARTED, rental=rental)
    monkeypatch.setattr(there, "provider_of", lambda *_: Absent())
    asked = replace_session(session, account=lambda: Account(given_region=region))
    if is_known:
        assert there.is_there(asked, run) is False
        return
    with pytest.raises(ConfigError, match="is in us-east-1a"):
        there.is_there(asked, run)


class Absent:
    """A provider that has never heard of any instance."""

    def describe(self, ident: str) -> None:
        raise NotFoundError(f"there is no {ident}")


@pytest.mark.parametrize(
    ("state", "has_ended"),
    [
        (InstanceState.RUNNING, False),
        (InstanceState.ENDING, False),  # it may still store what it has
        (InstanceState.STOPPED, False),
        (InstanceState.TERMINATED, True),
        (None, False),  # not known yet, or any more: its silence will tell
    ],
)
def test_an_end_that_the_provider_tells_is_believed_at_once(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    state: InstanceState | None,
    has_ended: bool,
) -> None:
    """However fresh its last sign of life is."""
    run = add(session, STARTED)
    known = [] if state is None else [make_instance("i-1", state=state)]
    monkeypatch.setattr(there, "provider_of", lambda *_: FakeProvider(known))
    assert there.is_alive(session, run)
    assert there.has_ended(session, run) is has_ended
    assert there.is_alive(session, run) is not has_ended


@pytest.mark.parametrize(
    ("ahead_s", "is_there", "lives", "is_alive"),
    [
        (240, False, False, False),
        (240, True, False, False),
        (240, True, True, True),
        (10, False, False, True),  # clocks differ a little: it is still fresh
    ],
)
def test_a_sign_of_life_from_the_future_is_not_believed(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: int,
    is_there: bool,
    lives: bool,
    is_alive: bool,
) -> None:
    """Else a clock that is four minutes slow would find each loss four minutes late."""
    run = add(session, STARTED)
    beat = Heartbeat(
        at=NOW + timedelta(seconds=ahead_s), attempt=1, phase=None, log_bytes=0, rss_bytes=0,
        disk_free_bytes=0, load=0.0,
    )  # fmt: skip
    session.ledger.beat(RUN_ID, beat)
    monkeypatch.setattr(there, "is_there", lambda *_: is_there)
    monkeypatch.setattr(there, "_probe", lambda *_: {"is_agent_alive": lives})
    assert there.is_alive(session, run) is is_alive
