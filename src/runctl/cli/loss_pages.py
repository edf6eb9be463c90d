"""Losses in words: a table, a page of Markdown, a line for the page of a run."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from runctl.cli.sentences import tell_count, tell_seconds
from runctl.model.losses import AttemptLoss, Losses
from runctl.model.money import format_cost

HEADER = ("ATTEMPT", "STATE", "LAST", "SAFE", "REDONE", "TIME LOST", "MONEY LOST", "RESUMED IN")
_UNKNOWN = "-"


def loss_rows(losses: Losses) -> list[tuple[str, ...]]:
    return [
        (
            str(one.attempt),
            one.state.value,
            _number(one.last_step),
            _number(one.durable_step),
            _number(one.steps_redone),
            _seconds(one.seconds_lost),
            _money(one.usd_lost),
            _seconds(one.seconds_to_resume),
        )
        for one in losses.attempts
    ]


def markdown_page(losses: Losses) -> Iterator[str]:
    yield f"## {losses.name} ({losses.run_id}): {losses.state.value}"
    yield ""
    yield f"| {' | '.join(word.capitalize() for word in HEADER)} |"
    yield f"|{'---|' * len(HEADER)}"
    for row in loss_rows(losses):
        yield f"| {' | '.join(row)} |"
    yield ""
    yield f"{tell_losses(losses).capitalize()}."


def tell_losses(losses: Losses) -> str:
    """Say the sums."""
    steps, seconds = losses.steps_redone, losses.seconds_lost
    told = "an unknown number of steps" if steps is None else tell_count(steps, "step")
    took = "an unknown time" if seconds is None else tell_seconds(seconds)
    cost = "an unknown cost" if losses.usd_lost is None else format_cost(losses.usd_lost)
    return f"lost over {tell_count(len(losses.attempts), 'attempt')}: {told}, {took}, {cost}"


def tell_loss(loss: AttemptLoss) -> str | None:
    """Say what one attempt has lost; None where it goes on, or nothing could be lost."""
    if loss.steps_redone is None and loss.seconds_lost is None:
        return None
    if loss.steps_redone == 0 and not loss.seconds_lost:
        return "nothing"
    steps = "steps unknown" if loss.steps_redone is None else tell_count(loss.steps_redone, "step")
    return f"{steps}, {_seconds(loss.seconds_lost)}, {_money(loss.usd_lost)}"


def tell_progress(loss: AttemptLoss) -> str | None:
    """Say how far an attempt has come, and how much of it is safe."""
    if loss.last_step is None:
        return None
    return f"last step {loss.last_step}, safe {_number(loss.durable_step)}"


def _number(value: int | None) -> str:
    return _UNKNOWN if value is None else str(value)


def _seconds(value: float | None) -> str:
    return _UNKNOWN if value is None else tell_seconds(value)


def _money(value: Decimal | None) -> str:
    return _UNKNOWN if value is None else format_cost(value)
