"""Stop instances and start them again; their disks stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from runctl.engine.fleet import Leave, at_once, carry_out, find_all
from runctl.engine.flushing import flush_all
from runctl.engine.guarding import Occupancy, check
from runctl.engine.session import Session
from runctl.engine.waiting import wait_for
from runctl.errors import ConflictError
from runctl.model.instance import GONE, Instance, InstanceState
from runctl.model.instance_views import Goal, InstanceReport
from runctl.model.money import cost_of
from runctl.providers.api import Provider, SupportsPower

_DOWN = frozenset({InstanceState.STOPPING, InstanceState.STOPPED})
_UP = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


@dataclass(frozen=True)
class Patience:
    """Whether the new state is waited for, and for how long at most; None is without end."""

    is_waiting: bool = False
    timeout: timedelta | None = None


def stop(
    session: Session,
    provider: Provider,
    references: Sequence[str],
    leave: Leave,
    patience: Patience,
) -> list[InstanceReport]:
    """Stop the instances; all of them are looked at before the first is touched.

    Raises ConflictError for one that cannot be stopped, RefusedError for an active run.
    """
    power, found = _power_of(provider), find_all(provider, references, leave)
    for one in found:
        if one.state not in GONE | _DOWN:
            power.check_stop(one.instance_id)
    seen = check(session, found, leave, "stop")
    _check_ends(seen)
    return at_once(found, partial(_stop, session, provider, seen, leave, patience))


def _check_ends(seen: Occupancy) -> None:
    """Refuse to stop a run whose end is that of its instance, disks and all."""
    for ident, runs in seen.runs.items():
        for run in runs:
            if run.last is not None and run.last.ends_instance:
                raise ConflictError(
                    f"run {run.spec.name} ends {ident} once it is over: it cannot be kept stopped",
                    hint=f"runctl aws terminate {ident} --force",
                    instance=ident,
                )


def _stop(
    session: Session,
    provider: Provider,
    seen: Occupancy,
    leave: Leave,
    patience: Patience,
    one: Instance,
) -> InstanceReport:
    report = replace(
        _begin(session, one, was_so=one.state in _DOWN),
        flushes=flush_all(session, seen, one.instance_id, leave),
        runs_problem=seen.problems.get(one.instance_id),
    )

    def act() -> None:
        if not report.was_so:
            _power_of(provider).stop(one.instance_id, is_foreign=leave.is_foreign)
        if patience.is_waiting:
            wait_for(provider, one.instance_id, Goal.STOPPED, patience.timeout)

    return carry_out(session, provider, report, act)


def start(
    session: Session,
    provider: Provider,
    references: Sequence[str],
    leave: Leave,
    patience: Patience,
) -> list[InstanceReport]:
    """Start the instances; who waits, waits until they answer a command."""
    _power_of(provider)
    found = find_all(provider, references, leave)
    return at_once(found, partial(_start, session, provider, leave, patience))


def _start(
    session: Session, provider: Provider, leave: Leave, patience: Patience, one: Instance
) -> InstanceReport:
    report = _begin(session, one, was_so=one.state in _UP)

    def act() -> None:
        if not report.was_so:
            _power_of(provider).start(one.instance_id, is_foreign=leave.is_foreign)
        if patience.is_waiting:
            wait_for(provider, one.instance_id, Goal.READY, patience.timeout)

    return carry_out(session, provider, report, act)


def wait(
    session: Session,
    provider: Provider,
    references: Sequence[str],
    goal: Goal,
    timeout: timedelta | None,
) -> list[InstanceReport]:
    """Wait until each is what is waited for; whose it is does not matter."""

    def waited(one: Instance) -> InstanceReport:
        ident = one.instance_id
        report = _begin(session, one, was_so=False)
        return carry_out(
            session, provider, report, lambda: wait_for(provider, ident, goal, timeout)
        )

    return at_once(find_all(provider, references, Leave(is_foreign=True)), waited)


def _begin(session: Session, one: Instance, *, was_so: bool) -> InstanceReport:
    cost = cost_of(one, session.clock())
    return InstanceReport(instance=one, was_so=was_so, cost_usd=cost)


def _power_of(provider: Provider) -> SupportsPower:
    if isinstance(provider, SupportsPower):
        return provider
    raise ConflictError(
        f"instances of {provider.name} can be neither stopped nor started", hint="runctl --help"
    )
