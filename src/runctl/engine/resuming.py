"""The next attempt of a run that did not succeed: on its instance, another, or a rented one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from runctl.engine.follow import revive, will_retry
from runctl.engine.instances import (
    collect_secrets,
    has_ended,
    has_started,
    is_revivable,
    start_attempt,
)
from runctl.engine.outcome import judge, lost_instance
from runctl.engine.placing import (
    Placement,
    claim_on,
    elsewhere,
    find_relocation,
    placed,
    with_volumes,
)
from runctl.engine.session import Session
from runctl.errors import ObjectExists, RunActive, RunFinished, StoppedOnRequest, TryAgain
from runctl.model.events import Claim, RequestKind
from runctl.model.run import Run, State, amended
from runctl.model.terms import NextAttempt, Terms
from runctl.model.wish import InstanceWish
from runctl.store.checkpoints import Checkpoints, find

REVIVAL_S = 60.0
POLL_S = 0.1


def resume(
    session: Session,
    run_id: str,
    wanted: NextAttempt,
    terms: Terms,
    reason: str = "resumed on request",
) -> Run:
    """Claim the next attempt and start it, from the wanted or the newest good checkpoint.

    An attempt whose processes were killed is revived first, so that its last checkpoints and
    the end of its log are saved.
    Raises RunActive, RunFinished, CheckpointNotFound, or InstanceLost where the instance is gone
    and no other is wanted.
    """
    run = _judge_now(session, run_id)
    secrets = collect_secrets(run.spec.command.secrets, session.environ)
    checkpoint = _find_checkpoint(session, run_id, wanted.checkpoint)
    if _was_cut_short(session, run, checkpoint):
        return _start_last(session, run, secrets)
    saved = save_what_is_left(session, run)
    if len(saved.attempts) > len(run.attempts):
        return saved  # it had retries left: saved and resumed at one stroke
    run = saved
    _check_can_resume(run)
    stops = _count_stops(session, run)
    relocation = find_relocation(session, run.spec, wanted.on, wanted.wish)
    with _placed(session, run, wanted.on, wanted.wish, terms) as place:
        placement = with_volumes(session, run.spec, place, run.attempts, terms.tell)
        _check_not_stopped(session, run, stops)
        claim = claim_on(session, run, placement, reason=reason, resume_from=checkpoint)
        claim = replace(claim, hyperparams=wanted.hyperparams, relocation=relocation)
        _claim_next(session, run, claim)
        spec = amended(run.spec, claim)
        start_attempt(session, spec, placement.instance, claim.attempt, secrets=secrets)
    return session.ledger.load(run_id)


def _find_checkpoint(session: Session, run_id: str, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    return find(Checkpoints(session.ledger, run_id, session.clock), wanted)


def _judge_now(session: Session, run_id: str) -> Run:
    """What was heard of a moment ago may have lost its instance since: that is asked, too."""
    run = judge(session, run_id)
    if run.is_over or run.last is None or not has_ended(session, run):
        return run
    return judge(session, run_id)


def _count_stops(session: Session, run: Run) -> int:
    return sum(one.kind is RequestKind.STOP for one in session.ledger.requests(run.run_id))


def _check_not_stopped(session: Session, run: Run, known: int) -> None:
    """Renting takes minutes: who wants the run to stop meanwhile has asked its last attempt."""
    if _count_stops(session, run) > known:
        raise StoppedOnRequest(
            f"run {run.spec.name} was told to stop while its next attempt was prepared",
            hint=f"runctl resume {run.run_id}",
            run=run.run_id,
        )


def _claim_next(session: Session, run: Run, claim: Claim) -> None:
    try:
        session.ledger.claim(run.run_id, claim)
    except ObjectExists as error:
        raise RunActive(
            f"somebody else has just resumed run {run.spec.name}",
            hint=f"runctl status {run.run_id}",
        ) from error


@contextmanager
def _placed(
    session: Session, run: Run, on: str | None, wish: InstanceWish | None, terms: Terms
) -> Iterator[Placement]:
    """Give where the next attempt goes: to the instance of the last, unless another is meant."""
    spec, last = run.spec, run.last
    if on is not None:
        spec = replace(spec, target=on, wish=wish)
    if wish is None and on is not None:
        yield elsewhere(session, spec, on)
    elif wish is None and last is not None:
        if not _is_usable(session, run):
            raise lost_instance(run)
        yield Placement(last.instance)
    else:
        meant = replace(spec, wish=wish or spec.wish)
        with placed(session, meant, len(run.attempts) + 1, terms) as placement:
            yield placement


def wish_of_next(session: Session, run_id: str, on: str | None) -> InstanceWish | None:
    """Return what has to be rented for the next attempt; None if there is an instance for it.

    Raises where the run cannot go on on such a target at all.
    """
    run = session.ledger.load(run_id)
    find_relocation(session, run.spec, on, None)
    if on is not None or run.spec.wish is None:
        return None
    return None if run.last is not None and _is_usable(session, run) else run.spec.wish


def _is_usable(session: Session, run: Run) -> bool:
    """Tell whether the run can go on where it was: what is taken back still runs for a while."""
    return run.state is not State.INTERRUPTED and is_revivable(session, run)


def _was_cut_short(session: Session, run: Run, wanted: str | None) -> bool:
    """Tell whether a resume of before has claimed this attempt, and could not start it."""
    recorded = session.ledger.load(run.run_id).last
    if not run.is_over or recorded is None or recorded.state is not State.PENDING:
        return False
    if not is_revivable(session, run):
        return False
    return session.ledger.claims(run.run_id)[-1].resume_from == wanted


def _start_last(session: Session, run: Run, secrets: dict[str, str]) -> Run:
    last = run.attempts[-1]
    start_attempt(session, run.spec, last.instance, last.number, secrets=secrets)
    return session.ledger.load(run.run_id)


def save_what_is_left(session: Session, run: Run) -> Run:
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
