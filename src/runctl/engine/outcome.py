"""How a run stands, as the one who looks must say it: the error, and so the exit code."""

from __future__ import annotations

from runctl.engine.instances import is_alive, is_revivable
from runctl.engine.session import Session
from runctl.errors import (
    CommandFailed,
    InstanceLost,
    IntegrityError,
    LimitReached,
    PhaseFailed,
    RunctlError,
    StoppedOnRequest,
    TransportError,
)
from runctl.model.events import Phase
from runctl.model.run import Attempt, Run, State, mark_lost

LOST = "its agent and its reaper are gone"
GONE = "its instance does not run any more"


def judge(session: Session, run_id: str) -> Run:
    """Load a run; one whose processes are gone, and which has not told its end, is lost."""
    run = session.ledger.load(run_id)
    if run.is_over or run.last is None or is_alive(session, run):
        return run
    run = session.ledger.load(run_id)  # it may have ended between the two looks
    if run.is_over:
        return run
    heard_at = session.ledger.heard_at(run_id, len(run.attempts))
    return mark_lost(run, LOST if is_revivable(session, run) else GONE, heard_at)


def failure_of(run: Run) -> RunctlError | None:
    """Return the error that a finished run amounts to; None for success."""
    last = run.last
    if last is None or last.state is State.SUCCEEDED:
        return None
    kind, hint = _KINDS.get(last.state, (CommandFailed, None))
    if last.state is State.FAILED and last.end and last.end.phase is not None:
        kind = TransportError if last.end.phase is Phase.UPLOADING else PhaseFailed
        kind = IntegrityError if last.end.is_damage else kind
    message = last.end.message if last.end else LOST
    own_hint = last.end.hint if last.end else None
    return kind(
        f"run {run.spec.name} {_WORDS.get(last.state, last.state.value)}: {message}",
        hint=own_hint or (hint or "runctl logs {}").format(run.run_id),
        run=run.run_id,
        attempt=last.number,
        **_details(last),
    )


def lost_instance(run: Run) -> InstanceLost:
    """Return the error of a run whose instance cannot bring its agent back."""
    place = run.last.instance if run.last else "its instance"
    again = "" if run.spec.wish is not None else " --on aws:INSTANCE"
    return InstanceLost(
        f"{place}, where run {run.spec.name} was, does not run any more",
        hint=f"runctl resume {run.run_id}{again}",
        run=run.run_id,
    )


def _details(last: Attempt) -> dict[str, object]:
    details: dict[str, object] = {}
    if last.exit is not None:
        details |= {"status": last.exit.status, "signal": last.exit.signal}
    if last.trouble is not None:
        details["trouble"] = last.trouble.value
    if last.end is not None and last.end.phase is not None:
        details["phase"] = last.end.phase.value
    return details


_KINDS: dict[State, tuple[type[RunctlError], str | None]] = {
    State.LOST: (InstanceLost, "runctl resume {}"),
    State.LIMIT: (LimitReached, "runctl resume {}"),
    State.STOPPED: (StoppedOnRequest, "runctl resume {}"),
    State.INTERRUPTED: (InstanceLost, "runctl resume {}"),
}
_WORDS = {
    State.FAILED: "failed",
    State.LOST: "was lost",
    State.LIMIT: "reached a limit",
    State.STOPPED: "was stopped",
    State.INTERRUPTED: "was interrupted",
}
