"""A run and what happens to it, in words of one line."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.model.cost import run_cost
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointCommitted,
    CommandStarted,
    Event,
    ExitRecord,
    InterruptionNoticed,
    OutputsStored,
    PhaseFinished,
    PhaseStarted,
    ResumeChosen,
    StopBegun,
)
from runctl.model.money import format_cost
from runctl.model.quantities import format_age, format_duration, format_size, format_usd
from runctl.model.run import Run
from runctl.model.volume import VolumeForesight

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def tell_event(event: Event) -> str | None:
    """Say what happened; None where nobody needs to be told."""
    tell = _SENTENCES.get(type(event.body))
    return tell(event.body) if tell else None


def tell_detail(event: Event) -> str | None:
    """Say what only ``--verbose`` asks for."""
    if isinstance(event.body, PhaseStarted):
        return f"{event.body.phase.value} …"
    if isinstance(event.body, CommandStarted):
        return f"process {event.body.pid}: {tell_words(event.body.argv)}"
    return None


def _tell_phase(body: PhaseFinished) -> str:
    notes = ", ".join(_tell_note(key, value) for key, value in body.notes.items())
    return f"{body.phase.value} {tell_seconds(body.seconds)}" + (f" ({notes})" if notes else "")


def _tell_note(key: str, value: str) -> str:
    if value in ("true", "false"):
        return key if value == "true" else f"not {key}"
    return f"{key} {value[:12] if _DIGEST.fullmatch(value) else value}"


def _tell_resume(body: ResumeChosen) -> str | None:
    passed = "".join(f"; passed over {name}: {why}" for name, why in body.passed_over.items())
    if body.checkpoint is None:
        return f"no checkpoint to resume from{passed}" if passed else None
    return f"resumes from {body.checkpoint}{tell_step(body.step)}{passed}"


def _tell_checkpoint(body: CheckpointCommitted) -> str:
    return (
        f"checkpoint {body.name}{tell_step(body.step)} is safe: {format_size(body.size_bytes)}, "
        f"{tell_seconds(body.lag_seconds)} after it was written"
    )


def _tell_stop(body: StopBegun) -> str:
    return f"{'SIGKILL' if body.is_now else body.signal} sent: {body.reason}"


def _tell_interruption(body: InterruptionNoticed) -> str:
    return f"the instance is taken back at {body.ends_at:%H:%M:%S} UTC ({body.action})"


def _tell_end(body: AttemptEnded) -> str | None:
    return f"the attempt is over: {body.message}" if body.message else None


_SENTENCES: dict[type, Callable[[Any], str | None]] = {
    AttemptStarted: lambda body: f"started on {body.host}",
    PhaseFinished: _tell_phase,
    ResumeChosen: _tell_resume,
    CheckpointCommitted: _tell_checkpoint,
    InterruptionNoticed: _tell_interruption,
    StopBegun: _tell_stop,
    OutputsStored: lambda body: (
        f"{tell_count(body.file_count, 'output file')} stored, {format_size(body.size_bytes)}"
    ),
    AttemptEnded: _tell_end,
}


def tell_exit(record: ExitRecord) -> str:
    """``exit status 0``, or the signal by name."""
    if record.error is not None:
        return f"could not be started: {record.error}"
    if record.signal is not None:
        core = ", core dumped" if record.is_core_dumped else ""
        return f"ended by {name_signal(record.signal)}{core}"
    return f"exit status {record.status}"


def name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tell_seconds(seconds: float) -> str:
    """A duration as one reads it: tenths below a minute, whole seconds above."""
    digits = 1 if seconds < 60 else 0
    return format_duration(timedelta(seconds=round(seconds, digits)))


def tell_step(step: int | None) -> str:
    return "" if step is None else f" (step {step})"


def tell_words(words: Sequence[str]) -> str:
    """A command as one would type it, on one line, whatever its words would do to a terminal."""
    return tell_path(shlex.join(words))


def tell_path(path: str) -> str:
    """A name as it is, on one line, whatever it would do to a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", path)


def tell_count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def tell_age(moment: datetime) -> str:
    return format_age(datetime.now(UTC) - moment)


def tell_cost(run: Run) -> str | None:
    """Say what the instances of a run have cost until now; None where nothing is rented."""
    cost = run_cost(run, datetime.now(UTC))
    if cost is not None:
        return f"about {format_usd(cost)}"
    is_paid = any(attempt.rental is not None for attempt in run.attempts)
    return "an unknown cost" if is_paid else None


def tell_summary(run: Run) -> str:
    """The last line of a run that was followed."""
    last, checkpoint = run.last, run.last_checkpoint
    count = sum(attempt.checkpoint_count for attempt in run.attempts)
    took = (run.ended_at or run.spec.created_at) - run.spec.created_at
    parts = [
        tell_exit(last.exit) if last and last.exit else "no exit record",
        tell_seconds(took.total_seconds()),
        tell_count(count, "checkpoint"),
        *([f"last step {checkpoint.step}"] if checkpoint and checkpoint.step is not None else []),
        *([tell_count(len(run.attempts), "attempt")] if len(run.attempts) > 1 else []),
        *([cost] if (cost := tell_cost(run)) else []),
    ]
    return f"run {run.spec.name} {run.state.value}: {', '.join(parts)}"


def tell_foresight(one: VolumeForesight) -> str:
    """Say which volume will be where, and what a new one costs."""
    ask, found = one.ask, one.volume
    where = f"at {ask.path}{', read-only' if ask.is_read_only else ''}"
    if found is not None:
        name = f" ({found.name})" if found.name else ""
        return f"{found.volume_id}{name}, {found.gib} GiB, {where}"
    monthly = one.usd_per_month
    price = "an unknown price" if monthly is None else format_cost(monthly)
    return f"a new one of {ask.gib} GiB {where}: {price} a month, until you delete it"
