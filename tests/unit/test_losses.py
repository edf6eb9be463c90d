"""What a run has lost: counted by hand for one story, and nothing made up where it is unknown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from runctl.cli.loss_pages import loss_rows, markdown_page, tell_loss, tell_losses
from runctl.model.events import (
    AttemptEnded,
    Body,
    Cause,
    CheckpointCommitted,
    CommandExited,
    CommandStarted,
    ResumeChosen,
)
from runctl.model.instance import Rental
from runctl.model.losses import Word, losses_of
from runctl.model.run import Run, begin, claim, step
from tests.records import NOW, make_claim, make_event, make_exit, make_spec

RENTAL = Rental(
    type="m5.large", place="us-east-1a", is_spot=True, usd_per_hour=Decimal("3.6"), since=NOW
)
Story = list[tuple[float, Body]]


def committed(seq: int, at_step: int, written_s: float) -> CheckpointCommitted:
    written_ns = int((NOW + timedelta(seconds=written_s)).timestamp() * 1e9)
    return CheckpointCommitted(
        name="c", seq=seq, step=at_step, size_bytes=1, sent_bytes=1, written_ns=written_ns,
        lag_seconds=1,
    )  # fmt: skip


def exited(at_s: float) -> CommandExited:
    record = make_exit(None, 15)
    return CommandExited(exit=replace(record, ended_at=NOW + timedelta(seconds=at_s)))


def tell(*attempts: Story) -> Run:
    """Return the run of attempts, each of (seconds, what happened then)."""
    run = begin(make_spec())
    for number, story in enumerate(attempts, 1):
        run = claim(run, make_claim(number, rental=RENTAL, instance=f"i-{number}"))
        for at_s, body in story:
            run, _ = step(run, make_event(body, number, at=NOW + timedelta(seconds=at_s)))
    return run


START = CommandStarted(pid=1, argv=("x",))
FIRST: Story = [
    (10, START),
    (50, committed(1, 40, 50)),
    (70, exited(70)),
    (75, AttemptEnded(cause=Cause.INTERRUPTED, last_step=57, durable_step=40)),
]
SECOND: Story = [
    (90, ResumeChosen(checkpoint="1/1", step=40)),
    (100, START),
    (150, CommandExited(exit=make_exit(0))),
    (151, AttemptEnded(cause=Cause.EXIT, last_step=90, durable_step=90)),
]


def test_what_comes_after_the_safe_step_is_lost() -> None:
    found = losses_of(tell(FIRST, SECOND), {})
    first, second = found.attempts
    assert (first.last_step, first.durable_step, first.steps_redone) == (57, 40, 17)
    assert first.seconds_lost == pytest.approx(20, abs=0.01)
    assert first.usd_lost == Decimal("0.02")
    assert first.seconds_to_resume == pytest.approx(30)
    assert (second.steps_redone, second.seconds_lost, second.usd_lost) == (0, 0, Decimal(0))
    assert (found.steps_redone, found.usd_lost) == (17, Decimal("0.02"))


def test_a_checkpoint_that_was_passed_over_is_lost_too() -> None:
    older: Story = [(90.0, ResumeChosen(checkpoint=None, step=None)), *SECOND[1:]]
    [first, _] = losses_of(tell(FIRST, older), {}).attempts
    assert (first.steps_redone, first.seconds_lost) == (57, 60)


def test_what_was_saved_last_loses_nothing() -> None:
    story: Story = [*FIRST[:3], (75.0, AttemptEnded(cause=Cause.INTERRUPTED, last_step=40))]
    [loss] = losses_of(tell(story), {}).attempts
    assert (loss.steps_redone, loss.seconds_lost, loss.usd_lost) == (0, 0, Decimal(0))
    assert tell_loss(loss) == "nothing"


def test_a_lost_attempt_is_told_by_its_log_and_its_heartbeat() -> None:
    run = tell([*FIRST[:2], (60, AttemptEnded(cause=Cause.LOST))])
    [unknown] = losses_of(run, {}).attempts
    assert (unknown.last_step, unknown.seconds_lost) == (40, 0.0)
    word = Word(step=52, heard_at=NOW + timedelta(seconds=66))
    [loss] = losses_of(run, {1: word}).attempts
    assert (loss.last_step, loss.steps_redone) == (52, 12)
    assert loss.seconds_lost == pytest.approx(16, abs=0.01)


def test_nothing_is_made_up() -> None:
    silent: Story = [(10.0, START), (70.0, exited(70)), (75.0, AttemptEnded(cause=Cause.LOST))]
    found = losses_of(tell(silent), {})
    assert (found.steps_redone, found.attempts[0].seconds_lost) == (None, 60)
    assert tell_losses(found) == "lost over 1 attempt: an unknown number of steps, 1m, $0.06"
    [going] = losses_of(tell(FIRST[:2]), {}).attempts
    assert (going.steps_redone, going.seconds_lost, going.usd_lost) == (None, None, None)
    assert tell_loss(going) is None


def test_what_never_trained_has_lost_nothing() -> None:
    found = losses_of(tell([(5, AttemptEnded(cause=Cause.PHASE))]), {})
    assert (found.steps_redone, found.seconds_lost) == (0, 0)


def test_the_pages_hold_the_figures() -> None:
    found = losses_of(tell(FIRST, SECOND), {})
    assert loss_rows(found)[0] == (
        "1", "interrupted", "57", "40", "17", "20s", "$0.02", "30s",
    )  # fmt: skip
    page = list(markdown_page(found))
    assert "| 1 | interrupted | 57 | 40 | 17 | 20s | $0.02 | 30s |" in page
    assert page[-1] == "Lost over 2 attempts: 17 steps, 20s, $0.02."
