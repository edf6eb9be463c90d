"""Waiting for what an instance is to become, by describing it: never for a fixed time."""

from __future__ import annotations

import time
from datetime import timedelta

from runctl.engine.renting.readiness import find_silence
from runctl.errors import ConflictError, InstanceLost, TryAgain
from runctl.model.instance import GONE, Instance, InstanceState
from runctl.model.instance_views import Goal
from runctl.providers.api import Provider

_FIRST_PAUSE_S, _LAST_PAUSE_S, _GROWTH = 0.2, 5.0, 1.5
_UP = frozenset({Goal.RUNNING, Goal.READY})
_DOWN = frozenset({InstanceState.STOPPING, InstanceState.STOPPED})
_STATES = {
    Goal.RUNNING: frozenset({InstanceState.RUNNING}),
    Goal.READY: frozenset({InstanceState.RUNNING}),
    Goal.STOPPED: frozenset({InstanceState.STOPPED}),
    Goal.TERMINATED: GONE,
}


def wait_for(
    provider: Provider, instance_id: str, goal: Goal, timeout: timedelta | None
) -> Instance:
    """Return the instance once it is what is waited for.

    Raises InstanceLost if it has ended instead, ConflictError if it is stopped and nobody starts
    it, TryAgain where only the waiting is over.
    """
    end = None if timeout is None else time.monotonic() + timeout.total_seconds()
    pause_s = _FIRST_PAUSE_S
    while True:
        found = provider.describe(instance_id)
        _check(found, goal)
        missing = _missing(provider, found, goal)
        if missing is None:
            return found
        if end is not None and time.monotonic() >= end:
            raise TryAgain(
                f"{instance_id} is not {goal.value} yet: {missing}; only the waiting is over",
                hint=f"runctl aws wait {instance_id} --for {goal.value}",
                instance=instance_id,
            )
        time.sleep(pause_s)
        pause_s = min(_GROWTH * pause_s, _LAST_PAUSE_S)


def _check(found: Instance, goal: Goal) -> None:
    ident, why = found.instance_id, f": {found.state_reason}" if found.state_reason else ""
    if found.state in GONE and goal is not Goal.TERMINATED:
        raise InstanceLost(
            f"{ident} has ended, and will never be {goal.value}{why}",
            hint="runctl aws list --all",
            instance=ident,
        )
    if found.state in _DOWN and goal in _UP:
        raise ConflictError(
            f"{ident} is {found.state.value}, and nothing starts it by itself{why}",
            hint=f"runctl aws start {ident}",
            instance=ident,
        )


def _missing(provider: Provider, found: Instance, goal: Goal) -> str | None:
    """Return what is missing to the goal; None if nothing is."""
    if found.state not in _STATES[goal]:
        return f"it is {found.state.value}"
    return find_silence(provider, found) if goal is Goal.READY else None
