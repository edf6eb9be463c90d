"""Stop, resume, remove: what changes a run after it was launched."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta

from runctl.engine.follow import revive, wait, will_retry
from runctl.engine.here import folder_of
from runctl.engine.instances import collect_secrets, has_started, is_revivable, start_attempt
from runctl.engine.outcome import judge
from runctl.engine.placing import find_elsewhere
from runctl.engine.session import Session, provider_of
from runctl.errors import (
    ConflictError,
    InstanceLost,
    ObjectExists,
    RunActive,
    RunFinished,
    RunNotFound,
    TryAgain,
)
from runctl.model.events import Request, RequestKind
from runctl.model.ids import make_run_id
from runctl.model.run import Attempt, Run, State
from runctl.model.spec import Spec
from runctl.model.views import Removed
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints, find
from runctl.store.ledger import next_claim
from runctl.store.references import referenced_blobs

REVIVAL_S = 60.0
POLL_S = 0.1


def stop(session: Session, run_id: str, *, is_now: bool, timeout: timedelta | None) -> Run:
    """Ask the run to stop, and wait until it has. Raises RunFinished if it is over already."""
    run = judge(session, run_id)
    if run.last is None:
        raise ConflictError(
            f"run {run.spec.name} was never started", hint=f"runctl rm {run_id}", run=run_id
        )
    if run.is_over and not will_retry(session, run):
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


def resume(session: Session, run_id: str, *, checkpoint: str | None, on: str | None = None) -> Run:
    """Claim the next attempt and start it, from the wanted or the newest good checkpoint.

    An attempt whose processes were killed is revived first, so that its last checkpoints and
    the end of its log are saved. ``on`` names another instance. Raises RunActive, RunFinished,
    CheckpointNotFound, or InstanceLost where the instance is gone and no other is named.
    """
    run = judge(session, run_id)
    secrets = collect_secrets(run.spec.command.secrets, session.environ)
    checkpoints = Checkpoints(session.ledger, run_id, session.clock)
    wanted = find(checkpoints, checkpoint) if checkpoint is not None else None
    if _was_cut_short(session, run, wanted):
        return _start_last(session, run, secrets)
    saved = _save_what_is_left(session, run)
    if len(saved.attempts) > len(run.attempts):
        return saved  # it had retries left: saved and resumed at one stroke
    run = saved
    _check_can_resume(run)
    instance = _instance_for(session, run, on)
    claim = next_claim(
        session.ledger,
        run,
        nonce=session.nonce(),
        now=session.clock(),
        instance=instance,
        reason="resumed on request",
        resume_from=wanted,
    )
    try:
        session.ledger.claim(run_id, claim)
    except ObjectExists as error:
        raise RunActive(
            f"somebody else has just resumed run {run.spec.name}", hint=f"runctl status {run_id}"
        ) from error
    start_attempt(session, run.spec, instance, claim.attempt, secrets=secrets)
    return session.ledger.load(run_id)


def _instance_for(session: Session, run: Run, on: str | None) -> str:
    """Return where the next attempt goes: to the instance of the last, unless another is named."""
    if on is not None:
        return find_elsewhere(session, run.spec, on)
    if run.last is not None and not is_revivable(session, run):
        raise InstanceLost(
            f"{run.last.instance}, where run {run.spec.name} was, does not run any more",
            hint=f"runctl resume {run.run_id} --on aws:INSTANCE",
            run=run.run_id,
        )
    return run.last.instance if run.last else "local"


def _was_cut_short(session: Session, run: Run, wanted: str | None) -> bool:
    """Tell whether a resume of before has claimed this attempt, and could not start it."""
    recorded = session.ledger.load(run.run_id).last
    if not run.is_over or recorded is None or recorded.state is not State.PENDING:
        return False
    return session.ledger.claims(run.run_id)[-1].resume_from == wanted


def _start_last(session: Session, run: Run, secrets: dict[str, str]) -> Run:
    last = run.attempts[-1]
    start_attempt(session, run.spec, last.instance, last.number, secrets=secrets)
    return session.ledger.load(run.run_id)


def _save_what_is_left(session: Session, run: Run) -> Run:
    """Return the run with its end in the ledger, if it had started its command.

    A lost attempt is revived to commit its last checkpoints and to write its end; where it
    has retries left, it also claims the next attempt, and the run is active again.
    """
    recorded = session.ledger.load(run.run_id)
    if recorded.is_over or not run.is_over or not has_started(session, run):
        return recorded if recorded.is_over else run
    revive(session, recorded)
    deadline = time.monotonic() + REVIVAL_S
    while time.monotonic() < deadline:
        recorded = session.ledger.load(run.run_id)
        is_next = recorded.last != run.last and len(recorded.attempts) > len(run.attempts)
        if is_next or (recorded.is_over and not will_retry(session, recorded)):
            return recorded
        time.sleep(POLL_S)
    raise TryAgain(
        f"the lost attempt of run {run.spec.name} could not be brought to its end yet",
        hint=f"runctl resume {run.run_id}",
    )


def _check_can_resume(run: Run) -> None:
    if run.last is not None and not run.is_over:
        raise RunActive(
            f"run {run.spec.name} is {run.state.value}; it needs no resuming",
            hint=f"runctl logs {run.run_id} -f",
            run=run.run_id,
        )
    if run.state is State.SUCCEEDED:
        raise RunFinished(
            f"run {run.spec.name} has succeeded; there is nothing to resume",
            hint="runctl train … starts a new run",
            run=run.run_id,
        )


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
    words = {State.LIMIT: "reached a limit", State.STOPPED: "was stopped", State.LOST: "was lost"}
    return words.get(state, state.value)
