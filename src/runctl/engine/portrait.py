"""All of one instance: what its provider tells, who answers on it, and the runs it has had."""

from __future__ import annotations

from runctl.engine.flushing import view
from runctl.engine.guarding import look
from runctl.engine.naming import find_instance
from runctl.engine.session import Session
from runctl.errors import RunctlError
from runctl.model.instance import GONE, Instance, InstanceState, Volume
from runctl.model.instance_views import Contact, InstanceDetail, RunOnInstance
from runctl.model.money import cost_of
from runctl.model.views import RunSummary
from runctl.providers.api import Provider, SupportsVolumes


def draw(session: Session, provider: Provider, reference: str) -> InstanceDetail:
    """Look at the instance and its runs; what cannot be known is said, and hides nothing else."""
    one = find_instance(provider, reference)
    seen = look(session, [one])
    active = tuple(map(view, seen.runs.get(one.instance_id, ())))
    ids = {run.run_id for run in active}
    here = [each for each in seen.known if one.instance_id in each.instances]
    return InstanceDetail(
        instance=one,
        cost_usd=cost_of(one, session.clock()),
        volumes=_volumes(provider, one),
        contact=_contact(provider, one),
        runs=active,
        earlier_runs=tuple(_view(each) for each in here if each.run_id not in ids),
        runs_problem=seen.problems.get(one.instance_id),
    )


def _contact(provider: Provider, one: Instance) -> Contact:
    """Say how the instance is reached, and who commands run as; else why it answers none."""
    if one.state is not InstanceState.RUNNING:
        return Contact(problem=f"it is {one.state.value}")
    way = None
    try:
        transport = provider.connect(one.instance_id)
        way = transport.name
        done = transport.exec(["id", "-un"])
    except RunctlError as error:
        return Contact(transport=way, problem=error.message)
    if done.status != 0:
        return Contact(transport=way, problem=f"a command ended with status {done.status}")
    return Contact(transport=way, login=done.stdout.decode(errors="replace").strip())


def _volumes(provider: Provider, one: Instance) -> tuple[Volume, ...] | None:
    if one.state in GONE or not isinstance(provider, SupportsVolumes):
        return ()
    try:
        return tuple(provider.volumes(one.instance_id))
    except RunctlError:
        return None


def _view(summary: RunSummary) -> RunOnInstance:
    return RunOnInstance(
        run_id=summary.run_id,
        name=summary.name,
        state=summary.state,
        created_at=summary.created_at,
        last_checkpoint=summary.last_checkpoint,
        last_step=summary.last_step,
    )
