"""What holds for every sequence of events, however odd."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from runctl.model.events import (
    AttemptEnded,
    Body,
    Cause,
    CommandExited,
    Event,
    Phase,
    PhaseStarted,
    StopBegun,
)
from runctl.model.run import TERMINAL, Run, State, begin, claim, fold, next_actions, step
from runctl.model.spec import Limits
from tests.records import BODIES, NOW, make_claim, make_event, make_exit, make_spec

EXITS = st.builds(
    make_exit, st.sampled_from([0, 1, 127, None]), st.sampled_from([None, 9, 15, 40])
).map(lambda record: CommandExited(exit=record))
OTHERS = st.one_of(
    st.sampled_from(BODIES),
    st.sampled_from(Phase).map(lambda phase: PhaseStarted(phase=phase)),
    st.sampled_from(Cause).map(lambda cause: StopBegun(cause=cause, reason="", is_now=False)),
    EXITS,
).filter(lambda body: not isinstance(body, AttemptEnded))
ENDS = st.sampled_from(Cause).map(lambda cause: AttemptEnded(cause=cause))
BODY = st.one_of(OTHERS, OTHERS, OTHERS, ENDS)
EVENTS = st.builds(make_event, BODY, st.sampled_from([1, 1, 1, 1, 2, 3, 4]))
RETRIES = st.integers(0, 3)


def run_with(attempts: int, retries: int) -> Run:
    run = begin(make_spec(limits=Limits(retries=retries)))
    for attempt in range(1, attempts + 1):
        run = claim(run, make_claim(attempt))
    return run


def of_attempt(events: list[Event], attempt: int) -> list[Body]:
    """The bodies that count: of this attempt, up to its end."""
    bodies = []
    for event in events:
        if event.attempt == attempt:
            bodies.append(event.body)
            if isinstance(event.body, AttemptEnded):
                break
    return bodies


@given(events=st.lists(EVENTS), retries=RETRIES)
def test_success_is_an_exit_record_of_status_0_and_nothing_else(
    events: list[Event], retries: int
) -> None:
    run = fold(run_with(1, retries), events)
    counted = of_attempt(events, 1)
    exits = [body.exit for body in counted if isinstance(body, CommandExited)]
    has_ended = bool(counted) and counted[-1] == AttemptEnded(cause=Cause.EXIT)
    expected = has_ended and bool(exits) and exits[-1].status == 0
    assert (run.state is State.SUCCEEDED) == expected


@given(events=st.lists(OTHERS.map(make_event)))
def test_an_end_without_an_exit_record_is_no_success(events: list[Event]) -> None:
    told = [event for event in events if not isinstance(event.body, CommandExited)]
    run = fold(run_with(1, 0), [*told, make_event(AttemptEnded(cause=Cause.EXIT))])
    assert run.state is State.FAILED


@given(events=st.lists(EVENTS), late=st.lists(EVENTS))
def test_nothing_counts_after_the_end(events: list[Event], late: list[Event]) -> None:
    ended = fold(run_with(2, 1), [*events, make_event(AttemptEnded(cause=Cause.STOP), 2)])
    assert ended.is_over
    for event in late:
        assert step(ended, event) == (ended, ())


@given(events=st.lists(EVENTS), attempts=st.integers(1, 3))
def test_only_the_last_attempt_hears(events: list[Event], attempts: int) -> None:
    before = run_with(attempts, 3)
    own = [event for event in events if event.attempt == attempts]
    assert fold(before, events) == fold(before, own)
    assert fold(before, events).attempts[:-1] == before.attempts[:-1]


@given(events=st.lists(EVENTS), retries=RETRIES)
def test_a_run_is_over_exactly_when_its_attempt_has_ended(
    events: list[Event], retries: int
) -> None:
    run = fold(run_with(1, retries), events)
    ended = any(isinstance(body, AttemptEnded) for body in of_attempt(events, 1))
    assert run.is_over == ended == (run.state in TERMINAL)
    assert (run.ended_at is not None) == ended


@given(events=st.lists(EVENTS), attempts=st.integers(1, 4), retries=RETRIES)
def test_it_is_tried_again_only_for_a_reason_and_while_attempts_are_left(
    events: list[Event], attempts: int, retries: int
) -> None:
    run = fold(run_with(attempts, retries), events)
    assert run.last is not None
    retried = (Cause.EXIT, Cause.LOST, Cause.INTERRUPTED)
    failed = run.last.end is not None and run.last.end.cause in retried
    expected = failed and run.state is not State.SUCCEEDED and attempts <= retries
    actions = next_actions(run)
    assert [action.attempt for action in actions] == ([attempts + 1] if expected else [])


@given(events=st.lists(EVENTS))
def test_actions_are_asked_for_once_and_by_the_end_alone(events: list[Event]) -> None:
    run, asked = run_with(1, 3), []
    for event in events:
        run, actions = step(run, event)
        asked += [type(event.body)] * len(actions)
    assert asked in ([], [AttemptEnded])


@given(events=st.lists(EVENTS), event=EVENTS)
def test_a_step_is_a_function_of_what_it_is_given(events: list[Event], event: Event) -> None:
    run = fold(run_with(1, 1), events)
    before = msgspec.json.encode(run)
    assert step(run, event) == step(run, event)
    assert msgspec.json.encode(run) == before


@given(events=st.lists(EVENTS))
def test_the_clock_of_events_is_told_and_never_judged(events: list[Event]) -> None:
    def back_in_time(index: int, event: Event) -> Event:
        return msgspec.structs.replace(event, at=NOW - timedelta(hours=index))

    jumping = [back_in_time(index, event) for index, event in enumerate(events)]
    assert fold(run_with(1, 1), jumping).state is fold(run_with(1, 1), events).state
