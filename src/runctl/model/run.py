"""The state of a run: the fold of its claims and events.

``step`` is a pure function. It returns the next state and what is to be done about
it; a bug is replayed from a list of events.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from runctl.model.codec import Value
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    Claim,
    CommandExited,
    CommandStarted,
    EnvironmentReady,
    Event,
    ExitRecord,
    ImageReady,
    InterruptionNoticed,
    Phase,
    PhaseFinished,
    PhaseStarted,
    ResumeChosen,
    StopBegun,
    Trouble,
    VolumeMounted,
    Warned,
)
from runctl.model.instance import Rental
from runctl.model.retrying import is_retried
from runctl.model.spec import Spec
from runctl.model.volume import VolumePlace


class State(enum.StrEnum):
    """Where a run stands. LOST is a judgement of the one who looks, unless it is recorded."""

    PENDING = "pending"
    PREPARING = "preparing"
    RUNNING = "running"
    STOPPING = "stopping"
    UPLOADING = "uploading"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LIMIT = "limit"
    LOST = "lost"
    INTERRUPTED = "interrupted"


TERMINAL = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.STOPPED,
        State.LIMIT,
        State.LOST,
        State.INTERRUPTED,
    }
)
ACTIVE = frozenset(State) - TERMINAL


class PhaseTime(Value, frozen=True, kw_only=True):
    phase: Phase
    seconds: float
    notes: dict[str, str] = {}


class Attempt(Value, frozen=True, kw_only=True):
    """One try, on one instance; ``started_at`` is when its command was.

    ``volumes`` were attached for it, ``mounts`` are those that its agent has mounted.
    """

    number: int
    instance: str
    claimed_at: datetime
    reason: str
    rental: Rental | None = None
    state: State = State.PENDING
    folder: str | None = None
    host: str | None = None
    phase: Phase | None = None
    phases: tuple[PhaseTime, ...] = ()
    volumes: tuple[VolumePlace, ...] = ()
    mounts: tuple[VolumeMounted, ...] = ()
    pid: int | None = None
    started_at: datetime | None = None
    environment: EnvironmentReady | None = None
    image: ImageReady | None = None
    resumed: ResumeChosen | None = None
    checkpoint_count: int = 0
    last_checkpoint: CheckpointCommitted | None = None
    warnings: tuple[Warned, ...] = ()
    interruption: InterruptionNoticed | None = None
    stop: StopBegun | None = None
    exit: ExitRecord | None = None
    trouble: Trouble | None = None
    end: AttemptEnded | None = None
    updated_at: datetime | None = None

    @property
    def ends_instance(self) -> bool:
        """Whether its instance was rented for it, and is to end with it."""
        return self.rental is not None and self.rental.ends_with_run


class Run(Value, frozen=True, kw_only=True):
    """A run as its ledger tells it."""

    spec: Spec
    attempts: tuple[Attempt, ...] = ()

    @property
    def run_id(self) -> str:
        return self.spec.run_id

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def state(self) -> State:
        return self.last.state if self.last else State.PENDING

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    @property
    def has_retries_left(self) -> bool:
        return len(self.attempts) <= self.spec.limits.retries

    @property
    def last_checkpoint(self) -> CheckpointCommitted | None:
        """The last one committed, in whichever attempt."""
        found = (attempt.last_checkpoint for attempt in reversed(self.attempts))
        return next(filter(None, found), None)

    @property
    def ended_at(self) -> datetime | None:
        return self.last.updated_at if self.last and self.is_over else None


class Relaunch(Value, frozen=True, kw_only=True):
    """Claim the next attempt and start it; ``is_here``: on the same instance, by its agent."""

    attempt: int
    reason: str
    is_here: bool = True


Action = Relaunch


def begin(spec: Spec) -> Run:
    return Run(spec=spec)


def amended(spec: Spec, record: Claim) -> Spec:
    """Return the spec as it is from the attempt on that this claim opens."""
    if record.hyperparams:
        params = {**spec.command.hyperparams, **record.hyperparams}
        command = msgspec.structs.replace(spec.command, hyperparams=params)
        spec = msgspec.structs.replace(spec, command=command)
    if record.relocation is not None:
        moved = record.relocation
        spec = msgspec.structs.replace(spec, target=moved.target, wish=moved.wish)
    return spec


def claim(run: Run, record: Claim) -> Run:
    """Add the attempt that this claim opens."""
    attempt = Attempt(
        number=record.attempt,
        instance=record.instance,
        claimed_at=record.claimed_at,
        reason=record.reason,
        rental=record.rental,
        volumes=record.volumes,
        updated_at=record.claimed_at,
    )
    attempts = (*run.attempts, attempt)
    return msgspec.structs.replace(run, spec=amended(run.spec, record), attempts=attempts)


def step(run: Run, event: Event) -> tuple[Run, tuple[Action, ...]]:
    """Apply one event of the last attempt; an event of a sealed one changes nothing."""
    if run.last is None or event.attempt != run.last.number or run.last.end is not None:
        return run, ()
    changed = msgspec.structs.replace(_apply(run.last, event.body), updated_at=event.at)
    if isinstance(event.body, CommandStarted):
        changed = msgspec.structs.replace(changed, started_at=event.at)
    run = msgspec.structs.replace(run, attempts=(*run.attempts[:-1], changed))
    return run, next_actions(run)


def fold(run: Run, events: Iterable[Event]) -> Run:
    for event in events:
        run, _ = step(run, event)
    return run


def mark_lost(run: Run, message: str, heard_at: datetime | None) -> Run:
    """Judge the last attempt lost, as of its last sign: its processes are known to be gone.

    ``heard_at`` is when its agent was heard of last, beside its events: until then it is paid
    for. One that had told of a notice was interrupted.
    """
    last = run.last
    if last is None:
        return run
    at = max(last.updated_at or last.claimed_at, heard_at or last.claimed_at)
    seconds = max(0.0, (at - last.claimed_at).total_seconds())
    cause = Cause.LOST if last.interruption is None else Cause.INTERRUPTED
    end = AttemptEnded(cause=cause, message=message, seconds=seconds)
    event = Event(nonce="", at=at, attempt=len(run.attempts), body=end)
    return step(run, event)[0]


def next_actions(run: Run) -> tuple[Action, ...]:
    """Return what is to be done about a run in this state."""
    last = run.last
    if last is None or last.end is None or last.state is State.SUCCEEDED:
        return ()
    if not is_retried(last.end.cause, last.exit, run.spec.limits.retry_on, last.trouble):
        return ()
    if not run.has_retries_left:
        return ()
    reason = f"attempt {last.number}: {last.state.value}"
    is_here = last.end.cause is not Cause.INTERRUPTED and last.trouble is not Trouble.GPU_LOST
    return (Relaunch(attempt=last.number + 1, reason=reason, is_here=is_here),)


def _apply(attempt: Attempt, body: Body) -> Attempt:
    changes = _changes(attempt, body)
    return msgspec.structs.replace(attempt, **changes)


def _changes(attempt: Attempt, body: Body) -> dict[str, object]:
    change = _CHANGES.get(type(body))
    return change(attempt, body) if change else {}


def _timed(body: PhaseFinished) -> PhaseTime:
    return PhaseTime(phase=body.phase, seconds=body.seconds, notes=body.notes)


def _state_in(attempt: Attempt, phase: Phase) -> State:
    if phase is Phase.UPLOADING:
        return State.UPLOADING
    if attempt.state is State.STOPPING:
        return State.STOPPING
    return State.RUNNING if phase is Phase.RUNNING else State.PREPARING


_ENDED_AS = {
    Cause.STOP: State.STOPPED,
    Cause.LIMIT: State.LIMIT,
    Cause.PHASE: State.FAILED,
    Cause.LOST: State.LOST,
    Cause.SUPERSEDED: State.LOST,
    Cause.INTERRUPTED: State.INTERRUPTED,
    Cause.TROUBLE: State.FAILED,
}


def _final_state(attempt: Attempt, end: AttemptEnded) -> State:
    """Success is an exit record of status 0, and nothing else is."""
    if end.cause is not Cause.EXIT:
        return _ENDED_AS[end.cause]
    has_succeeded = attempt.exit is not None and attempt.exit.status == 0
    return State.SUCCEEDED if has_succeeded else State.FAILED


_CHANGES: dict[type, Callable[[Attempt, Any], dict[str, object]]] = {
    AttemptStarted: lambda _, b: {"state": State.PREPARING, "host": b.host, "folder": b.folder},
    PhaseStarted: lambda a, b: {"phase": b.phase, "state": _state_in(a, b.phase)},
    PhaseFinished: lambda a, b: {"phases": (*a.phases, _timed(b))},
    VolumeMounted: lambda a, b: {"mounts": (*a.mounts, b)},
    EnvironmentReady: lambda _, b: {"environment": b},
    ImageReady: lambda _, b: {"image": b},
    ResumeChosen: lambda _, b: {"resumed": b},
    CommandStarted: lambda _, b: {"pid": b.pid},
    CheckpointCommitted: lambda a, b: {
        "checkpoint_count": a.checkpoint_count + 1,
        # Committed newest first when behind: the number tells the order of writing.
        "last_checkpoint": max(filter(None, (a.last_checkpoint, b)), key=lambda c: c.seq),
    },
    Warned: lambda a, b: {"warnings": (*a.warnings, b)},
    InterruptionNoticed: lambda _, b: {"interruption": b},
    StopBegun: lambda _, b: {"stop": b, "state": State.STOPPING},
    CommandExited: lambda _, b: {"exit": b.exit, "trouble": b.trouble},
    AttemptEnded: lambda a, b: {"end": b, "state": _final_state(a, b)},
}
