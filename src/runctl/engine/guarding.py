"""What stands against stopping or ending an instance: runs that are active on it.

A check that cannot be made is a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runctl.engine.catalog import Catalog
from runctl.engine.fleet import Leave
from runctl.engine.follow import will_retry
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.errors import RefusedError, RunctlError
from runctl.model.instance import GONE, Instance, InstanceState
from runctl.model.run import ACTIVE, Run
from runctl.model.views import RunSummary


@dataclass
class Occupancy:
    """By instance: the runs that are active on it, and why that is not known where it is not.

    ``known`` are all runs of the ledger, newest first.
    """

    runs: dict[str, list[Run]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    known: list[RunSummary] = field(default_factory=list)

    def refuse(self, verb: str) -> None:
        """Raise RefusedError if anything is active, or unknown; ``verb`` is the command."""
        for ident, runs in self.runs.items():
            raise RefusedError(
                f"{ident} has an active run: " + "; ".join(map(_tell, runs)),
                hint=f"runctl stop {runs[0].run_id}, or runctl aws {verb} {ident} --force",
                instance=ident,
                runs=[run.run_id for run in runs],
            )
        for ident, problem in self.problems.items():
            raise RefusedError(
                f"whether a run is active on {ident} cannot be known: {problem}",
                hint=f"runctl aws {verb} {ident} --force",
                instance=ident,
            )


def _tell(run: Run) -> str:
    safe = run.last_checkpoint
    step = "" if safe is None or safe.step is None else f" (step {safe.step})"
    saved = "no checkpoint is safe yet" if safe is None else f"last safe is {safe.name}{step}"
    return f"{run.spec.name} ({run.run_id}) is {run.state.value}, {saved}"


def check(session: Session, instances: Sequence[Instance], leave: Leave, verb: str) -> Occupancy:
    """Look, and refuse what may not be; ``verb`` is the command that is to be typed again."""
    if all(one.state in GONE for one in instances):
        return Occupancy()
    seen = look(session, instances)
    if not leave.is_forced:
        seen.refuse(verb)
    return seen


def look(session: Session, instances: Sequence[Instance]) -> Occupancy:
    """Look in the ledger for runs that are active on these instances."""
    living = {one.instance_id: one for one in instances if one.state not in GONE}
    found = Occupancy()
    try:
        _look(session, living, found)
    except (RunctlError, OSError) as error:
        found.problems |= {one.instance_id: f"{error}" for one in instances}
    return found


def _look(session: Session, living: Mapping[str, Instance], found: Occupancy) -> None:
    with Catalog(session.ledger, session.cache_dir) as catalog:
        found.known = catalog.all_summaries()
    for run_id in _candidates(found.known, living):
        _judge(session, run_id, living, found)
    for run_id, problem in catalog.damaged.items():
        concerned = _touched(session, run_id, living)
        found.problems |= dict.fromkeys(concerned, f"run {run_id} cannot be read: {problem}")
    known = {*(one.run_id for one in found.known), *catalog.damaged}
    for one in living.values():
        if _is_elsewhere(one, known):
            found.problems.setdefault(
                one.instance_id,
                f"run {one.run} was started on it, and is not in {session.ledger.objects.url}: "
                "it was removed, or it is of another ledger",
            )


def _candidates(summaries: Iterable[RunSummary], living: Mapping[str, Instance]) -> list[str]:
    """Return those whose last attempt is on one of them, and goes on or may be retried."""
    marked = {one.run for one in living.values()}
    return [
        one.run_id
        for one in summaries
        if one.instances
        and one.instances[-1] in living
        and (one.state in ACTIVE or one.run_id in marked)
    ]


def _judge(session: Session, run_id: str, living: Mapping[str, Instance], found: Occupancy) -> None:
    try:
        run = judge(session, run_id)
        is_active = not run.is_over or will_retry(session, run)
    except (RunctlError, OSError) as error:
        found.problems |= dict.fromkeys(_touched(session, run_id, living), f"{error}")
        return
    if is_active and run.last is not None and run.last.instance in living:
        found.runs.setdefault(run.last.instance, []).append(run)


def _touched(session: Session, run_id: str, living: Collection[str]) -> list[str]:
    """Return on which of them a run may be that cannot be read: on all, unless its claims tell."""
    try:
        last = session.ledger.claims(run_id)[-1:]
    except (RunctlError, OSError):
        return list(living)
    return [claim.instance for claim in last if claim.instance in living]


def _is_elsewhere(one: Instance, known: Collection[str]) -> bool:
    """Tell whether a run was started on it of which the ledger knows nothing."""
    return one.state is not InstanceState.STOPPED and one.run is not None and one.run not in known
