"""The next attempt of a run on another instance, where its own can start none.

Whoever is alive does it: the command that follows the run, or ``runctl reconcile``. Two at once do
no harm: one of them claims the attempt, and both have asked for the instance by the same token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runctl.config import owner_id
from runctl.engine.catalog import Catalog
from runctl.engine.follow import will_retry
from runctl.engine.instances import is_revivable
from runctl.engine.outcome import judge
from runctl.engine.renting.again import find_again, find_wider, with_money_left
from runctl.engine.resuming import resume
from runctl.engine.session import Session, provider_of
from runctl.errors import CapacityError, Interrupted, RunActive, RunctlError
from runctl.model.instance import Offer
from runctl.model.run import ACTIVE, Relaunch, Run, State, next_actions
from runctl.model.terms import Tell, Terms
from runctl.model.views import DueRun, RunSummary
from runctl.model.wish import InstanceWish

_MAYBE_DUE = ACTIVE | {State.LOST, State.INTERRUPTED, State.FAILED}


def relaunch(session: Session, run_id: str, tell: Tell) -> Run | None:
    """Start the next attempt, where that is due; return the run, None where it is not.

    Raises what ``resume`` raises: CapacityError where nothing can be rented, RefusedError where
    no money is left.
    """
    run = judge(session, run_id)
    if run.last is not None and not run.is_over:
        return run  # somebody else was faster
    action = find_action(session, run)
    if action is None:
        return None
    tell(f"{action.reason}; going on with attempt {action.attempt}")
    try:
        return _start(session, run, action, tell)
    except RunActive:
        return session.ledger.load(run_id)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"run {run.spec.name} stands still: attempt {action.attempt} was not started yet",
            hint="to go on: runctl reconcile",
            run=run_id,
        ) from error


def find_action(session: Session, run: Run) -> Relaunch | None:
    """Return what is to be done about a run that was judged; None where nothing is, or not here."""
    action = next(iter(next_actions(run)), None)
    if action is None or run.spec.wish is None or will_retry(session, run):
        return None
    if _is_out_of_time(run) or _was_told_to_stop(session, run):
        return None
    return action


def find_due(session: Session, on_damaged: Callable[[str, Exception], None]) -> list[DueRun]:
    """Return the runs of this user whose next attempt is due, newest first.

    One that cannot be looked at hides no other: ``on_damaged`` hears of it.
    """
    with Catalog(session.ledger, session.cache_dir) as catalog:
        summaries = catalog.all_summaries()
    for run_id, error in catalog.damaged.items():
        on_damaged(run_id, error)
    found: list[DueRun] = []
    for one in summaries:
        try:
            found += _find_one(session, one) if _may_be_due(session, one) else ()
        except RunctlError as error:
            on_damaged(one.run_id, error)
    return found


def _may_be_due(session: Session, summary: RunSummary) -> bool:
    if summary.state not in _MAYBE_DUE or not summary.attempts:
        return False
    return not session.provider(summary.target.partition(":")[0]).is_here


def _find_one(session: Session, summary: RunSummary) -> Iterator[DueRun]:
    run = judge(session, summary.run_id)
    action = find_action(session, run) if run.spec.owner == owner_id(session.user_dir) else None
    if action is not None:
        yield DueRun(
            run_id=run.run_id,
            name=run.spec.name,
            state=run.state,
            attempt=action.attempt,
            reason=action.reason,
        )


def _start(session: Session, run: Run, action: Relaunch, tell: Tell) -> Run:
    wish = run.spec.wish
    if wish is None or (action.is_here and is_revivable(session, run)):
        return _resume(session, run, action, None, Terms(tell=tell))
    provider, left = provider_of(session, run.spec), with_money_left(wish, run, session.clock())
    last = run.last.rental if run.last else None
    offers = find_again(provider, left, last)
    try:
        return _resume(session, run, action, left, Terms(offers=offers, tell=tell))
    except CapacityError as error:
        wider = find_wider(provider, left, offers)
        if not wider:
            raise _without_capacity(run, error) from error
        tell("there is none of the same kind; trying others that have as much, and cost no more")
        return _resume_wider(session, run, action, left, wider, tell)


def _resume_wider(
    session: Session,
    run: Run,
    action: Relaunch,
    wish: InstanceWish,
    offers: list[Offer],
    tell: Tell,
) -> Run:
    try:
        return _resume(session, run, action, wish, Terms(offers=offers, tell=tell))
    except CapacityError as error:
        raise _without_capacity(run, error) from error


def _without_capacity(run: Run, error: CapacityError) -> CapacityError:
    return CapacityError(
        f"run {run.spec.name} cannot go on yet: {error.message}",
        hint="runctl reconcile --yes",
        **error.details,
    )


def _resume(
    session: Session, run: Run, action: Relaunch, wish: InstanceWish | None, terms: Terms
) -> Run:
    return resume(
        session,
        run.run_id,
        checkpoint=None,
        on=None,
        wish=wish,
        terms=terms,
        reason=action.reason,
    )


def _is_out_of_time(run: Run) -> bool:
    max_time = run.spec.limits.max_time
    if max_time is None:
        return False
    used_s = sum(attempt.end.seconds for attempt in run.attempts if attempt.end)
    return used_s >= max_time.total_seconds()


def _was_told_to_stop(session: Session, run: Run) -> bool:
    """Tell whether the last attempt was asked to stop, and was gone before it could hear it."""
    requests = session.ledger.requests(run.run_id)
    return any(request.attempt == len(run.attempts) for request in requests)
