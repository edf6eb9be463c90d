"""Which runs go on on another instance: those that are due, and no others."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runctl.config import owner_id
from runctl.engine import due as due_runs
from runctl.engine import relaunching
from runctl.engine.control import stop
from runctl.engine.due import find_action, find_due
from runctl.engine.relaunching import relaunch
from runctl.engine.session import Session
from runctl.errors import Interrupted, RunFinished, TransportError
from runctl.model.events import AttemptEnded, Body, Cause, Request, RequestKind
from runctl.model.instance import Rental
from runctl.model.run import Run, State
from runctl.model.spec import Limits
from runctl.model.wish import InstanceWish
from tests.records import NOW, RUN_ID, make_claim, make_event, make_spec
from tests.unit.test_engine_looking import STARTED, World

WISH = InstanceWish(types=("m5.large",), is_spot=True)
RETRIED = Limits(retries=1)
INTERRUPTED = AttemptEnded(cause=Cause.INTERRUPTED, seconds=100)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return World(tmp_path).session


def add(session: Session, *bodies: Body, rental: Rental | None = None, **changes: Any) -> Run:
    """Add a run of one attempt, with a retry left unless said, of the session's own user."""
    known: dict[str, object] = {
        "target": "aws:m5.large", "wish": WISH, "limits": RETRIED,
        "owner": owner_id(session.user_dir),
    }  # fmt: skip
    session.ledger.create_run(make_spec(RUN_ID, **{**known, **changes}))
    session.ledger.claim(RUN_ID, make_claim(instance="i-1", rental=rental))
    for seq, body in enumerate(bodies, 1):
        session.ledger.append_event(RUN_ID, "agent", seq, make_event(body, 1), durable=True)
    return session.ledger.load(RUN_ID)


def due(session: Session) -> list[tuple[str, int]]:
    def fail(run_id: str, error: Exception) -> None:
        raise AssertionError(run_id) from error

    return [(one.run_id, one.attempt) for one in find_due(session, fail)]


def test_what_was_interrupted_with_a_retry_left_is_due(session: Session) -> None:
    run = add(session, STARTED, INTERRUPTED)
    action = find_action(session, run)
    assert action is not None
    assert (action.attempt, action.reason) == (2, "attempt 1: interrupted")
    assert due(session) == [(RUN_ID, 2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": Limits(retries=0)},
        {"limits": replace(RETRIED, retry_on=("lost",))},
        {"limits": replace(RETRIED, max_time=timedelta(seconds=100))},
        {"wish": None},
    ],
)
def test_what_may_not_go_on_is_not(session: Session, changes: dict[str, Any]) -> None:
    run = add(session, STARTED, INTERRUPTED, **changes)
    assert find_action(session, run) is None
    assert due(session) == []


@pytest.mark.parametrize(("max_cost", "is_due"), [("0.01", False), ("0.02", True)])
def test_what_has_no_money_left_is_not_due(session: Session, max_cost: str, is_due: bool) -> None:
    rental = Rental(
        type="m5.large", place="us-east-1a", is_spot=True, usd_per_hour=Decimal("0.6"), since=NOW
    )
    wish = replace(WISH, max_cost=Decimal(max_cost))
    add(session, STARTED, INTERRUPTED, rental=rental, wish=wish)
    assert bool(due(session)) is is_due


def test_what_has_time_left_is_due(session: Session) -> None:
    limits = replace(RETRIED, max_time=timedelta(seconds=101))
    assert find_action(session, add(session, STARTED, INTERRUPTED, limits=limits)) is not None


@pytest.mark.parametrize("cause", [Cause.STOP, Cause.LIMIT, Cause.PHASE])
def test_other_ends_are_final(session: Session, cause: Cause) -> None:
    add(session, STARTED, AttemptEnded(cause=cause))
    assert due(session) == []


def test_what_was_asked_to_stop_stays(session: Session) -> None:
    run = add(session, STARTED, INTERRUPTED)
    asked = Request(request_id="r", requested_at=NOW, attempt=1, kind=RequestKind.STOP)
    session.ledger.put_request(RUN_ID, asked)
    assert find_action(session, run) is None


def test_a_run_of_somebody_else_is_left_to_him(session: Session) -> None:
    add(session, STARTED, INTERRUPTED, owner="another")
    assert due(session) == []


def test_a_run_that_cannot_be_looked_at_hides_no_other(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(session, STARTED, INTERRUPTED)

    def fail(_session: Session, _run_id: str) -> Run:
        raise TransportError("it does not answer")

    monkeypatch.setattr(due_runs, "judge", fail)
    told: dict[str, str] = {}
    assert find_due(session, lambda run_id, error: told.update({run_id: str(error)})) == []
    assert told == {RUN_ID: "it does not answer"}


def test_who_leaves_before_the_next_attempt_is_told_that_it_is_not_there(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(session, STARTED, INTERRUPTED)

    def leave(*_: object) -> Run:
        raise KeyboardInterrupt

    monkeypatch.setattr(relaunching, "_go_on", leave)
    told: list[str] = []
    with pytest.raises(Interrupted, match="attempt 2 was not started yet") as caught:
        relaunch(session, RUN_ID, told.append)
    assert caught.value.hint == "to go on: runctl reconcile"
    assert told == ["attempt 1: interrupted; going on with attempt 2"]


def test_a_stop_keeps_the_next_attempt_from_being_rented(session: Session) -> None:
    add(session, STARTED, INTERRUPTED)
    assert stop(session, RUN_ID, is_now=False, timeout=None).state is State.INTERRUPTED
    assert due(session) == []
    with pytest.raises(RunFinished):
        stop(session, RUN_ID, is_now=False, timeout=None)
