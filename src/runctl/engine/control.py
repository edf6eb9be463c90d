"""Stop and remove: what changes a run after it was launched."""

from __future__ import annotations

import shutil
from datetime import timedelta

from runctl.engine.due import find_action
from runctl.engine.follow import wait, will_retry
from runctl.engine.here import folder_of
from runctl.engine.outcome import judge
from runctl.engine.session import Session, provider_of
from runctl.errors import (
    ConflictError,
    RunActive,
    RunFinished,
    RunNotFound,
)
from runctl.model.events import Request, RequestKind
from runctl.model.ids import make_run_id
from runctl.model.run import Attempt, Run, State
from runctl.model.spec import Spec
from runctl.model.views import Removed
from runctl.store.blobs import Blobs
from runctl.store.references import referenced_blobs


def stop(session: Session, run_id: str, *, is_now: bool, timeout: timedelta | None) -> Run:
    """Ask the run to stop, and wait until it has. Raises RunFinished if it is over already.

    One whose next attempt is due elsewhere is not over: nobody starts that any more.
    """
    run = judge(session, run_id)
    if run.last is None:
        raise ConflictError(
            f"run {run.spec.name} was never started", hint=f"runctl rm {run_id}", run=run_id
        )
    if run.is_over and not (will_retry(session, run) or find_action(session, run)):
        raise RunFinished(
            f"run {run.spec.name} is over: it {_past(run.state)}",
            hint=f"runctl status {run_id}",
            run=run_id,
        )
    now = session.clock()
    request = Request(
        request_id=make_run_id(now, session.chance(4)),
        requested_at=now,
        attempt=run.last.number,
        kind=RequestKind.STOP,
        is_now=is_now,
        reason="stopped on request",
    )
    session.ledger.put_request(run_id, request)
    return wait(session, run_id, timeout)


def remove(session: Session, run_id: str) -> Removed:
    """Delete a run that is over: its records, its folders, and bytes that nobody needs."""
    try:
        run = judge(session, run_id)
    except RunNotFound:  # its removal was cut short: the records that are left go now
        session.ledger.delete_run(run_id)
        return Removed(run_ids=(run_id,), freed_bytes=sweep(session))
    if (not run.is_over and run.last is not None) or will_retry(session, run):
        raise RunActive(
            f"run {run.spec.name} is {run.state.value}", hint=f"runctl stop {run_id}", run=run_id
        )
    for attempt in run.attempts:
        _remove_folder(session, run.spec, attempt)
    session.ledger.delete_run(run_id)
    return Removed(run_ids=(run_id,), freed_bytes=sweep(session))


def _remove_folder(session: Session, spec: Spec, attempt: Attempt) -> None:
    """Remove what an attempt has left here; on an instance it goes with the instance."""
    if provider_of(session, spec).is_here:
        folder = folder_of(session, spec, attempt.instance, attempt.number)
        shutil.rmtree(folder.path.parent, ignore_errors=True)


def finish_removals(session: Session) -> None:
    """Delete what is left of runs whose removal was cut short: they have no spec any more."""
    for run_id in session.ledger.run_ids():
        if not session.ledger.has_spec(run_id):
            session.ledger.delete_run(run_id)


def sweep(session: Session) -> int:
    """Finish removals that were cut short; delete blobs that no record has named for a day.

    Returns the bytes freed.
    """
    finish_removals(session)
    referenced = referenced_blobs(session.ledger)
    return Blobs(session.ledger.objects, session.clock).sweep(referenced)


def _past(state: State) -> str:
    words = {
        State.LIMIT: "reached a limit",
        State.STOPPED: "was stopped",
        State.LOST: "was lost",
        State.INTERRUPTED: "was interrupted",
    }
    return words.get(state, state.value)
