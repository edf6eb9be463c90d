"""The end of instances: what it would meet, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from runctl.engine.fleet import Leave, at_once, carry_out, find_all, kept_volumes
from runctl.engine.flushing import flush_all, view
from runctl.engine.guarding import Occupancy, check
from runctl.engine.session import Session
from runctl.model.instance import GONE, Instance
from runctl.model.instance_views import InstancePlan, InstanceReport
from runctl.model.money import cost_of
from runctl.providers.api import Provider

_VERB = "terminate"


def plan_end(
    session: Session, provider: Provider, references: Sequence[str], leave: Leave
) -> list[InstancePlan]:
    """Say what an end would meet; nothing is changed.

    Raises RefusedError for an active run, or one that may be, and for what is not ours.
    """
    found = find_all(provider, references, leave)
    seen = check(session, found, leave, _VERB)
    return [
        InstancePlan(
            instance=one,
            cost_usd=cost_of(one, session.clock()),
            runs=tuple(map(view, seen.runs.get(one.instance_id, ()))),
            runs_problem=seen.problems.get(one.instance_id),
            volumes=kept_volumes(provider, one),
        )
        for one in found
    ]


def end(
    session: Session, provider: Provider, references: Sequence[str], leave: Leave
) -> list[InstanceReport]:
    """End the instances; all of them are looked at before the first is touched."""
    found = find_all(provider, references, leave)
    seen = check(session, found, leave, _VERB)
    return at_once(found, partial(_end, session, provider, seen, leave))


def _end(
    session: Session, provider: Provider, seen: Occupancy, leave: Leave, one: Instance
) -> InstanceReport:
    ident, cost = one.instance_id, cost_of(one, session.clock())
    report = InstanceReport(instance=one, was_so=one.state in GONE, cost_usd=cost)
    if report.was_so:
        return report
    report = replace(
        report,
        flushes=flush_all(session, seen, ident, leave),
        runs_problem=seen.problems.get(ident),
        volumes=kept_volumes(provider, one),
    )
    terminate = partial(provider.terminate, ident, is_foreign=leave.is_foreign)
    return carry_out(session, provider, report, terminate)
