"""What a run has lost: per attempt, the steps that are done again, their time and their price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from runctl.model.codec import Value
from runctl.model.money import price_of
from runctl.model.run import Attempt, Run, State


class AttemptLoss(Value, frozen=True, kw_only=True):
    """One attempt. None is unknown, or not over yet; 0 is that nothing was lost.

    ``durable_step`` is the one that the next attempt went on from, or would. ``seconds_lost`` is
    the training after it; ``seconds_to_resume`` passed until the next attempt trained.
    """

    attempt: int
    instance: str
    state: State
    last_step: int | None
    durable_step: int | None
    steps_redone: int | None
    seconds_lost: float | None
    usd_lost: Decimal | None
    seconds_to_resume: float | None = None


class Losses(Value, frozen=True, kw_only=True):
    """The losses of a run; a sum is None where a part of it is unknown."""

    run_id: str
    name: str
    state: State
    attempts: tuple[AttemptLoss, ...]
    steps_redone: int | None
    seconds_lost: float | None
    usd_lost: Decimal | None


class Word(Value, frozen=True, kw_only=True):
    """What is known of an attempt beside its events: the last step in its log, its last sign."""

    step: int | None = None
    heard_at: datetime | None = None


def losses_of(run: Run, words: Mapping[int, Word]) -> Losses:
    """Return the losses; ``words`` are by the number of the attempt."""
    nexts = [*run.attempts[1:], None]
    found = [
        _loss(attempt, after, words.get(attempt.number, Word()))
        for attempt, after in zip(run.attempts, nexts, strict=True)
    ]
    over = [one for one, attempt in zip(found, run.attempts, strict=True) if attempt.end]
    steps = [one.steps_redone for one in over if one.steps_redone is not None]
    seconds = [one.seconds_lost for one in over if one.seconds_lost is not None]
    usd = [one.usd_lost for one in over if one.usd_lost is not None]
    return Losses(
        run_id=run.run_id,
        name=run.spec.name,
        state=run.state,
        attempts=tuple(found),
        steps_redone=sum(steps) if len(steps) == len(over) else None,
        seconds_lost=sum(seconds) if len(seconds) == len(over) else None,
        usd_lost=sum(usd, Decimal(0)) if len(usd) == len(over) else None,
    )


def _loss(attempt: Attempt, after: Attempt | None, word: Word) -> AttemptLoss:
    durable, last = _durable_step(attempt, after), _last_step(attempt, word)
    redone, seconds = _redone(attempt, durable, last), _seconds(attempt, after, word)
    if redone == 0:
        seconds = 0.0  # what passed after the last step was no training
    return AttemptLoss(
        attempt=attempt.number,
        instance=attempt.instance,
        state=attempt.state,
        last_step=last,
        durable_step=durable,
        steps_redone=redone,
        seconds_lost=seconds,
        usd_lost=_usd(attempt, seconds),
        seconds_to_resume=_seconds_to_resume(attempt, after, word),
    )


def _durable_step(attempt: Attempt, after: Attempt | None) -> int | None:
    """Return what the next attempt went on from, which may be older than the newest."""
    if after is not None and after.resumed is not None:
        return after.resumed.step
    if attempt.last_checkpoint is not None:
        return attempt.last_checkpoint.step
    return attempt.resumed.step if attempt.resumed else None


def _last_step(attempt: Attempt, word: Word) -> int | None:
    safe = attempt.last_checkpoint.step if attempt.last_checkpoint else None
    told = attempt.end.last_step if attempt.end else None
    return max((step for step in (safe, told, word.step) if step is not None), default=None)


def _redone(attempt: Attempt, durable: int | None, last: int | None) -> int | None:
    """Return the steps that are done again: all, where nothing is safe."""
    if attempt.end is None:
        return None
    if attempt.state is State.SUCCEEDED or attempt.started_at is None:
        return 0
    return None if last is None else max(0, last - (durable or 0))


def _seconds(attempt: Attempt, after: Attempt | None, word: Word) -> float | None:
    """Return how long was trained after what is safe."""
    if attempt.end is None:
        return None
    ended_at = _ended_at(attempt, word)
    if attempt.state is State.SUCCEEDED or attempt.started_at is None or ended_at is None:
        return 0.0
    own, since = attempt.last_checkpoint, attempt.started_at
    label = f"{attempt.number}/{own.seq}" if own else None
    chosen = after.resumed.checkpoint if after and after.resumed else label
    if own is not None and chosen == label:
        return max(0.0, ended_at.timestamp() - own.written_ns / 1e9)
    return max(0.0, (ended_at - since).total_seconds())


def _ended_at(attempt: Attempt, word: Word) -> datetime | None:
    if attempt.exit is not None:
        return attempt.exit.ended_at
    heard = [moment for moment in (attempt.updated_at, word.heard_at) if moment is not None]
    return max(heard, default=None)


def _usd(attempt: Attempt, seconds: float | None) -> Decimal | None:
    if seconds is None:
        return None
    if attempt.rental is None or not seconds:
        return Decimal(0)  # nothing is paid for
    return price_of(attempt.rental.usd_per_hour, seconds)


def _seconds_to_resume(attempt: Attempt, after: Attempt | None, word: Word) -> float | None:
    ended_at = _ended_at(attempt, word)
    if after is None or after.started_at is None or ended_at is None:
        return None
    return max(0.0, (after.started_at - ended_at).total_seconds())
