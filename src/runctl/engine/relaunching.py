"""The next attempt of a run on another instance, where its own can start none.

Whoever is alive does it: the command that follows the run, or ``runctl reconcile``. Two at once do
no harm: one of them claims the attempt, and both have asked for the instance by the same token.
"""

from __future__ import annotations

from runctl.engine.due import find_action
from runctl.engine.instances import is_revivable
from runctl.engine.outcome import judge
from runctl.engine.renting.again import find_again, find_wider, with_money_left
from runctl.engine.resuming import resume, save_what_is_left
from runctl.engine.session import Session, provider_of
from runctl.errors import CapacityError, Interrupted, RunActive
from runctl.model.instance import Offer
from runctl.model.run import Relaunch, Run
from runctl.model.terms import NextAttempt, Tell, Terms
from runctl.model.wish import InstanceWish


def relaunch(session: Session, run_id: str, tell: Tell) -> Run | None:
    """Start the next attempt, where that is due; return the run, None where it is not.

    A lost attempt whose instance is there is brought to its end first, which may be a final one.
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
        return _go_on(session, run, action, tell)
    except RunActive:
        return session.ledger.load(run_id)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"run {run.spec.name} stands still: attempt {action.attempt} was not started yet",
            hint="to go on: runctl reconcile",
            run=run_id,
        ) from error


def _go_on(session: Session, run: Run, action: Relaunch, tell: Tell) -> Run | None:
    saved = save_what_is_left(session, run)
    if len(saved.attempts) > len(run.attempts):
        return saved
    if saved is not run and find_action(session, saved) is None:
        tell(f"attempt {len(saved.attempts)} has told its end: {saved.state.value}")
        return None
    return _start(session, saved, action, tell)


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
    return resume(session, run.run_id, NextAttempt(wish=wish), terms, reason=action.reason)
