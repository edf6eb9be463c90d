"""Which runs are to go on, with nobody on their instance to see to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runctl.config import owner_id
from runctl.engine.catalog import Catalog
from runctl.engine.follow import will_retry
from runctl.engine.instances import is_revivable
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.errors import RunctlError
from runctl.model.cost import run_cost
from runctl.model.run import ACTIVE, Relaunch, Run, State, next_actions
from runctl.model.views import DueRun, RunSummary

_MAYBE_DUE = ACTIVE | {State.LOST, State.INTERRUPTED, State.FAILED}


def find_action(session: Session, run: Run) -> Relaunch | None:
    """Return what is to be done about a run that was judged; None where nothing is, or not here."""
    if run.spec.wish is None:
        return None
    action = _find_unstarted(session, run) or next(iter(next_actions(run)), None)
    if action is None or will_retry(session, run):
        return None
    if _is_out_of_time(run) or _is_out_of_money(session, run) or _was_told_to_stop(session, run):
        return None
    return action


def _find_unstarted(session: Session, run: Run) -> Relaunch | None:
    """Return what starts an attempt that was claimed and counted, and whose starter was killed."""
    last = run.last
    if last is None or run.state is not State.LOST or last.host is not None:
        return None
    if not 1 < last.number <= run.spec.limits.retries + 1 or not is_revivable(session, run):
        return None
    if session.ledger.claims(run.run_id)[-1].resume_from is not None:
        return None  # by hand, from a checkpoint that was chosen: he goes on who chose it
    return Relaunch(attempt=last.number, reason=f"attempt {last.number} was never started")


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


def _is_out_of_time(run: Run) -> bool:
    max_time = run.spec.limits.max_time
    if max_time is None:
        return False
    used_s = sum(attempt.end.seconds for attempt in run.attempts if attempt.end)
    return used_s >= max_time.total_seconds()


def _is_out_of_money(session: Session, run: Run) -> bool:
    """Tell whether nothing is left of its limit. What is not known is refused by who rents."""
    limit = run.spec.wish.max_cost if run.spec.wish is not None else None
    spent = run_cost(run, session.clock()) if limit is not None else None
    return limit is not None and spent is not None and spent >= limit


def _was_told_to_stop(session: Session, run: Run) -> bool:
    """Tell whether the last attempt was asked to stop, and was gone before it could hear it."""
    requests = session.ledger.requests(run.run_id)
    return any(request.attempt == len(run.attempts) for request in requests)
