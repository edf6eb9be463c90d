"""The state of a run: each step by example. The rules for all sequences are in property/."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    CommandExited,
    CommandStarted,
    InterruptionNoticed,
    Phase,
    PhaseFinished,
    PhaseStarted,
    Relocation,
    StopBegun,
    Trouble,
    Warned,
)
from runctl.model.hyperparams import Hyperparameter
from runctl.model.run import (
    ACTIVE,
    TERMINAL,
    Relaunch,
    Run,
    State,
    begin,
    claim,
    fold,
    mark_lost,
    next_actions,
    step,
)
from runctl.model.spec import Limits
from tests.records import NOW, make_claim, make_event, make_exit, make_spec

STARTED = AttemptStarted(host="h", folder="/f", runctl_version="0", platform="p")
RUNNING: list[Body] = [
    STARTED,
    PhaseStarted(phase=Phase.RUNNING),
    CommandStarted(pid=7, argv=("a",)),
]


def after(*bodies: Body, retries: int = 0) -> Run:
    run = claim(begin(make_spec(limits=Limits(retries=retries))), make_claim())
    return fold(run, map(make_event, bodies))


def end(cause: Cause) -> AttemptEnded:
    return AttemptEnded(cause=cause)


def committed(seq: int) -> CheckpointCommitted:
    return CheckpointCommitted(
        name="last.ckpt",
        seq=seq,
        step=seq,
        size_bytes=1,
        sent_bytes=1,
        written_ns=1,
        lag_seconds=0.0,
    )


def test_a_run_without_an_attempt_is_pending() -> None:
    run = begin(make_spec())
    assert (run.state, run.is_over, run.last, run.ended_at) == (State.PENDING, False, None, None)
    assert step(run, make_event(STARTED)) == (run, ())


@pytest.mark.parametrize(
    ("bodies", "state"),
    [
        ([], State.PENDING),
        ([STARTED], State.PREPARING),
        ([STARTED, PhaseStarted(phase=Phase.QUEUE)], State.PREPARING),
        ([STARTED, PhaseStarted(phase=Phase.ENVIRONMENT)], State.PREPARING),
        (RUNNING, State.RUNNING),
        ([*RUNNING, StopBegun(cause=Cause.STOP, reason="", is_now=False)], State.STOPPING),
        ([*RUNNING, CommandExited(exit=make_exit(0))], State.RUNNING),
        ([*RUNNING, PhaseStarted(phase=Phase.UPLOADING)], State.UPLOADING),
        ([*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.EXIT)], State.SUCCEEDED),
        ([*RUNNING, CommandExited(exit=make_exit(1)), end(Cause.EXIT)], State.FAILED),
        ([*RUNNING, CommandExited(exit=make_exit(None, 9)), end(Cause.EXIT)], State.FAILED),
        ([*RUNNING, end(Cause.EXIT)], State.FAILED),
        ([*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.STOP)], State.STOPPED),
        ([*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.LIMIT)], State.LIMIT),
        ([*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.LOST)], State.LOST),
        ([STARTED, end(Cause.PHASE)], State.FAILED),
        ([*RUNNING, end(Cause.SUPERSEDED)], State.LOST),
        ([*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.INTERRUPTED)], State.INTERRUPTED),
    ],
)
def test_the_state_after_these_events(bodies: list[Body], state: State) -> None:
    run = after(*bodies)
    assert run.state is state
    assert run.is_over == (state in TERMINAL)


def test_every_state_is_active_or_terminal() -> None:
    assert set(State) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_what_happened_is_kept() -> None:
    run = after(
        *RUNNING,
        PhaseFinished(phase=Phase.CODE, seconds=0.5, notes={"a": "b"}),
        committed(1),
        committed(2),
        Warned(code="torn", message="m"),
    )
    last = run.last
    assert last is not None
    assert (last.host, last.folder, last.pid, last.phase) == ("h", "/f", 7, Phase.RUNNING)
    assert [(each.phase, each.seconds) for each in last.phases] == [(Phase.CODE, 0.5)]
    assert (last.checkpoint_count, last.last_checkpoint) == (2, committed(2))
    assert [warning.code for warning in last.warnings] == ["torn"]


def test_a_run_ends_when_its_last_event_says_so() -> None:
    at = NOW + timedelta(hours=1)
    run = claim(begin(make_spec()), make_claim())
    run, _ = step(run, make_event(end(Cause.STOP), at=at))
    assert run.ended_at == at
    late = make_event(committed(1), at=at + timedelta(hours=1))
    assert step(run, late) == (run, ())


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_events_of_another_attempt_change_nothing(attempt: int) -> None:
    run = claim(after(*RUNNING), make_claim(2))
    assert step(run, make_event(end(Cause.EXIT), attempt)) == (run, ())


@pytest.mark.parametrize(
    ("bodies", "is_retried"),
    [
        ([CommandExited(exit=make_exit(1)), end(Cause.EXIT)], True),
        ([CommandExited(exit=make_exit(None, 11)), end(Cause.EXIT)], True),
        ([end(Cause.LOST)], True),
        ([CommandExited(exit=make_exit(0)), end(Cause.INTERRUPTED)], True),
        ([CommandExited(exit=make_exit(0)), end(Cause.EXIT)], False),
        ([CommandExited(exit=make_exit(1)), end(Cause.STOP)], False),
        ([CommandExited(exit=make_exit(1)), end(Cause.LIMIT)], False),
        ([end(Cause.PHASE)], False),
        ([end(Cause.SUPERSEDED)], False),
        ([CommandExited(exit=make_exit(1))], False),
    ],
)
def test_what_is_tried_again(bodies: list[Body], is_retried: bool) -> None:
    assert bool(next_actions(after(*RUNNING, *bodies, retries=1))) is is_retried
    assert next_actions(after(*RUNNING, *bodies, retries=0)) == ()


def test_only_what_is_taken_back_goes_on_elsewhere() -> None:
    [lost] = next_actions(after(*RUNNING, end(Cause.LOST), retries=1))
    [interrupted] = next_actions(after(*RUNNING, end(Cause.INTERRUPTED), retries=1))
    assert (lost.is_here, interrupted.is_here) == (True, False)


def test_retries_are_counted_down() -> None:
    run = begin(make_spec(limits=Limits(retries=2)))
    asked = []
    for attempt in (1, 2, 3):
        run = claim(run, make_claim(attempt))
        run, actions = step(run, make_event(end(Cause.LOST), attempt))
        asked += [(action.attempt, bool(action.reason)) for action in actions]
    assert asked == [(2, True), (3, True)]


def test_a_lost_attempt_may_be_tried_again_by_who_judges_it_lost() -> None:
    run = mark_lost(after(*RUNNING, retries=1), "the instance is gone", None)
    assert run.state is State.LOST
    assert run.last is not None
    assert run.last.end == AttemptEnded(cause=Cause.LOST, message="the instance is gone")
    (action,) = next_actions(run)
    assert isinstance(action, Relaunch)


def test_an_attempt_that_ended_cannot_be_lost() -> None:
    run = after(*RUNNING, CommandExited(exit=make_exit(0)), end(Cause.EXIT))
    assert mark_lost(run, "gone", NOW) == run


def test_a_lost_attempt_lasted_until_it_was_heard_of_last() -> None:
    run = mark_lost(after(*RUNNING), "gone", NOW + timedelta(hours=3))
    assert run.last is not None
    assert run.last.end is not None
    assert run.last.end.seconds == 3 * 3600
    assert run.last.updated_at == NOW + timedelta(hours=3)
    early = mark_lost(after(*RUNNING), "gone", NOW - timedelta(hours=3))
    assert early.last is not None
    assert early.last.updated_at == NOW


@pytest.mark.parametrize(("trouble", "is_here"), [("oom", True), ("gpu-lost", False)])
def test_a_gpu_that_is_lost_is_not_gone_on_with(trouble: str, is_here: bool) -> None:
    told = CommandExited(exit=make_exit(1), trouble=Trouble(trouble))
    run = claim(begin(make_spec(limits=Limits(retries=1))), make_claim())
    run = fold(run, map(make_event, (*RUNNING, told, AttemptEnded(cause=Cause.EXIT))))
    assert run.state is State.FAILED
    (action,) = next_actions(run)
    assert action.is_here is is_here


def test_what_was_told_of_a_notice_before_it_fell_silent_was_interrupted() -> None:
    noticed = InterruptionNoticed(action="terminate", ends_at=NOW)
    limits = Limits(retries=1, retry_on=("interruption",))
    run = begin(make_spec(limits=limits))
    run = fold(claim(run, make_claim()), [make_event(body) for body in (*RUNNING, noticed)])
    run = mark_lost(run, "gone", None)
    assert run.state is State.INTERRUPTED
    (action,) = next_actions(run)
    assert not action.is_here


def test_a_claim_changes_the_spec_from_its_attempt_on() -> None:
    spec = make_spec()
    lr, epochs = Hyperparameter(0.5, "0.5"), Hyperparameter(3, "3")
    first = claim(begin(spec), make_claim())
    changed = replace(make_claim(), attempt=2, hyperparams={"lr": lr, "epochs": epochs})
    second = claim(first, changed)
    assert first.spec == spec
    params = {**spec.command.hyperparams, "lr": lr, "epochs": epochs}
    assert second.spec.command.hyperparams == params
    moved = replace(make_claim(), attempt=3, relocation=Relocation(target="local"))
    third = claim(second, moved)
    assert (third.spec.target, third.spec.wish) == ("local", None)
    assert third.spec.command.hyperparams == params  # what was changed before stays so
