"""The longer results in text: a plan, a run in detail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runctl.cli.aligned import Fact, align
from runctl.cli.loss_pages import tell_loss, tell_progress
from runctl.cli.sentences import (
    tell_age,
    tell_cost,
    tell_count,
    tell_exit,
    tell_foresight,
    tell_seconds,
    tell_step,
    tell_words,
)
from runctl.cli.travel_pages import project_fact, travel_facts, travel_lines
from runctl.model.events import VolumeMounted
from runctl.model.hyperparams import format_hyperparams
from runctl.model.instance import Rental
from runctl.model.losses import AttemptLoss, Losses
from runctl.model.quantities import format_size, format_usd
from runctl.model.run import Attempt, Run, State
from runctl.model.travel import KeptCode
from runctl.model.views import LaunchPlan


def plan_page(plan: LaunchPlan) -> Iterable[str]:
    """What a launch would do."""
    git = (
        f"{plan.git_commit[:12]}{', changed since' if plan.is_dirty else ''}"
        if plan.git_commit
        else None
    )
    return [
        *align(
            ("target", plan.target),
            ("name", plan.name),
            project_fact(plan),
            ("command", tell_words(plan.command)),
            ("in", plan.cwd),
            ("code", _tell_kept(plan.kept) if plan.kept else None),
            *travel_facts(plan),
            ("data", ", ".join(one.url for one in plan.data) or None),
            *(("volume", tell_foresight(one)) for one in plan.volumes),
            ("published to", plan.published_to),
            ("environment", plan.environment),
            ("git", git),
            ("ledger", plan.ledger),
        ),
        *travel_lines(plan),
        "nothing was started: this is --dry-run",
    ]


def _tell_kept(kept: KeptCode) -> str:
    return f"that of run {kept.name} ({kept.run_id}), snapshot {kept.snapshot[:12]}; none is sent"


def status_page(run: Run, losses: Losses) -> Iterable[str]:
    """A run in detail."""
    yield from align(*_run_facts(run))
    for attempt, loss in zip(run.attempts, losses.attempts, strict=True):
        yield ""
        yield f"attempt {attempt.number}: {attempt.state.value}"
        yield from ("  " + line for line in align(*_attempt_facts(attempt, loss)))
        yield from (f"  warning: {warned.message}" for warned in attempt.warnings)


def _run_facts(run: Run) -> Iterator[Fact]:
    spec, checkpoint = run.spec, run.last_checkpoint
    count = sum(attempt.checkpoint_count for attempt in run.attempts)
    yield "run", run.run_id
    yield "name", spec.name
    yield "state", run.state.value
    yield "created", f"{spec.created_at:%Y-%m-%d %H:%M:%S} UTC, {tell_age(spec.created_at)} ago"
    yield "target", spec.target
    yield "project", spec.project
    yield "script", spec.command.script
    yield "arguments", tell_words(spec.command.arguments) or None
    yield "hyperparams", format_hyperparams(spec.command.hyperparams) or None
    yield (
        "code",
        f"{tell_count(spec.code.file_count, 'file')}, {format_size(spec.code.total_bytes)}"
        + (f", that of run {spec.code.from_run}" if spec.code.from_run else ""),
    )
    yield "checkpoints", str(count)
    yield "cost", tell_cost(run)
    if checkpoint is not None:
        lag = tell_seconds(checkpoint.lag_seconds)
        yield (
            "last safe",
            f"{checkpoint.name}{tell_step(checkpoint.step)}, {lag} after it was written",
        )


def _attempt_facts(attempt: Attempt, loss: AttemptLoss) -> Iterator[Fact]:
    yield "instance", f"{attempt.instance} ({attempt.host})" if attempt.host else attempt.instance
    yield "rented", _tell_rental(attempt.rental) if attempt.rental else None
    yield "because", attempt.reason
    yield (
        "phases",
        ", ".join(f"{p.phase.value} {tell_seconds(p.seconds)}" for p in attempt.phases) or None,
    )
    for one in attempt.mounts:
        yield "volume", _tell_mount(one)
    if attempt.end is None:
        yield "phase", attempt.phase.value if attempt.phase else None
        yield "process", str(attempt.pid) if attempt.pid is not None else None
    yield from _tell_surroundings(attempt)
    if attempt.resumed is not None and attempt.resumed.checkpoint is not None:
        yield "resumed", f"{attempt.resumed.checkpoint}{tell_step(attempt.resumed.step)}"
    yield "checkpoints", str(attempt.checkpoint_count) if attempt.checkpoint_count else None
    yield "progress", tell_progress(loss)
    yield "lost", tell_loss(loss) if attempt.state is not State.SUCCEEDED else None
    if attempt.stop is not None:
        yield "stop", attempt.stop.reason
    if attempt.exit is not None:
        yield "exit", f"{tell_exit(attempt.exit)} after {tell_seconds(attempt.exit.seconds)}"
    if attempt.end is not None:
        yield "end", attempt.end.message or None
        yield "hint", attempt.end.hint


def _tell_surroundings(attempt: Attempt) -> Iterator[Fact]:
    yield "image", attempt.image.pinned if attempt.image else None
    if attempt.environment is not None:
        ready = attempt.environment
        yield "environment", f"Python {ready.python_version}, {ready.source}"


def _tell_mount(one: VolumeMounted) -> str:
    words = [one.file_system]
    words += ["read-only"] if one.is_read_only else []
    words += ["made for it"] if one.was_formatted else []
    return f"{one.volume_id} at {one.path}, {', '.join(words)}"


def _tell_rental(rental: Rental) -> str:
    market = "spot" if rental.is_spot else "on demand"
    price = rental.usd_per_hour
    cost = "unknown price" if price is None else f"{format_usd(price)} an hour"
    return f"{rental.type} in {rental.place}, {market}, {cost}"
