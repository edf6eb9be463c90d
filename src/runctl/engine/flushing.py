"""Runs that are asked to save and ship what they have, before their instance goes."""

from __future__ import annotations

from datetime import timedelta

from runctl.engine.control import stop
from runctl.engine.fleet import Leave
from runctl.engine.guarding import Occupancy
from runctl.engine.outcome import LOST, judge
from runctl.engine.session import Session
from runctl.errors import RunctlError, RunFinished
from runctl.model.instance_views import Flush, RunOnInstance
from runctl.model.run import Run, State


def flush_all(session: Session, seen: Occupancy, ident: str, leave: Leave) -> tuple[Flush, ...]:
    """Ask the runs on an instance to save what they have."""
    return tuple(flush(session, run, leave.flush_time) for run in seen.runs.get(ident, ()))


def flush(session: Session, run: Run, timeout: timedelta) -> Flush:
    """Ask a run to stop, and wait until it has saved and shipped what it has; never raises."""
    try:
        over = stop(session, run.run_id, is_now=False, timeout=timeout)
    except RunFinished:
        over = judge(session, run.run_id)  # it ended meanwhile
    except (RunctlError, OSError) as error:
        return Flush(run=view(run), problem=f"{error}")
    lost = over.state is State.LOST
    return Flush(run=view(over), problem=LOST if lost else None)


def view(run: Run) -> RunOnInstance:
    safe = run.last_checkpoint
    return RunOnInstance(
        run_id=run.run_id,
        name=run.spec.name,
        state=run.state,
        created_at=run.spec.created_at,
        last_checkpoint=safe.name if safe else None,
        last_step=safe.step if safe else None,
    )
