"""From a request to a running attempt, in two steps: plan it, then do it.

``--dry-run`` is stopping after the first step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runctl.engine.instances import collect_secrets, start_attempt
from runctl.engine.outcome import judge
from runctl.engine.placing import place
from runctl.engine.preparing import Prepared, largest_files
from runctl.engine.references import find_run
from runctl.engine.session import Session
from runctl.engine.specs import environment_wish, make_spec, name_stem
from runctl.errors import ConflictError, RunNotFound
from runctl.model.hyperparams import to_arguments
from runctl.model.run import Run, State, begin
from runctl.model.spec import Spec
from runctl.model.views import LaunchPlan, LaunchRequest
from runctl.project import git_state
from runctl.store.ledger import next_claim


def describe(prepared: Prepared, session: Session) -> LaunchPlan:
    """Say what a launch would do."""
    from runctl.agent.environment import detect  # noqa: PLC0415 - a launch itself needs neither
    from runctl.agent.phases import settings_of  # noqa: PLC0415

    root, settings = prepared.root, prepared.settings
    git = git_state(root.path)
    script = root.path / root.script
    source = detect(root.path, script, settings_of(environment_wish(settings)))
    return LaunchPlan(
        target=settings.run.on,
        name=prepared.request.name or f"{name_stem(root)}-…",
        project_root=str(root.path),
        root_reason=root.reason,
        script=root.script,
        cwd=prepared.cwd,
        command=(
            os.path.relpath(root.script, prepared.cwd),
            *to_arguments(settings.run.hyperparams),
            *prepared.request.arguments,
        ),
        file_count=len(prepared.selection.entries),
        total_bytes=prepared.selection.total_bytes,
        files=tuple(prepared.selection.paths),
        largest=largest_files(prepared.selection),
        environment=source.reason,
        git_commit=git.commit if git else None,
        is_dirty=git.is_dirty if git else None,
        ledger=session.ledger.objects.url,
        settings={item.key: item.text for item in session.config.settings()},
        notes=(*prepared.selection.notes, *session.config.notes),
    )


def launch(prepared: Prepared, session: Session) -> Run:
    """Store the code, write the spec, claim attempt 1 and start it; return the run.

    A run of the same name that is active and asks for the same thing is adopted, and its
    launch finished if it was cut short; any other of that name is a conflict.
    """
    secrets = collect_secrets(prepared.settings.run.secrets, session.environ)
    spec = make_spec(prepared, session)
    adopted = _adopt(spec, prepared.request, session)
    if adopted is None:
        instance = place(session, spec)
        session.ledger.create_run(spec)
        _begin_first(prepared, session, spec, instance, secrets)
    elif adopted.last is None:
        instance = place(session, adopted.spec)
        _begin_first(prepared, session, adopted.spec, instance, secrets)
    elif adopted.last.state is State.PENDING or judge(session, adopted.run_id).is_over:
        start_attempt(
            session, adopted.spec, adopted.last.instance, adopted.last.number, secrets=secrets
        )
    return session.ledger.load(adopted.run_id if adopted else spec.run_id)


def _begin_first(
    prepared: Prepared, session: Session, spec: Spec, instance: str, secrets: Mapping[str, str]
) -> None:
    """Claim attempt 1 and start it; where it is refused, the run is taken back."""
    _import_checkpoint(prepared, session, spec)
    claim = next_claim(
        session.ledger,
        begin(spec),
        nonce=session.nonce(),
        now=session.clock(),
        instance=instance,
        reason="launched",
    )
    session.ledger.claim(spec.run_id, claim)
    try:
        start_attempt(
            session, spec, instance, 1, secrets=secrets, is_queued=prepared.request.is_queued
        )
    except ConflictError:
        session.ledger.delete_run(spec.run_id)  # refused: there never was such a run
        raise


def _import_checkpoint(prepared: Prepared, session: Session, spec: Spec) -> None:
    if prepared.request.resume_from is None:
        return
    from runctl.engine.imports import import_checkpoint  # noqa: PLC0415 - the formats are many

    import_checkpoint(session, spec, Path(prepared.request.resume_from))


def _adopt(spec: Spec, request: LaunchRequest, session: Session) -> Run | None:
    if request.name is None:
        return None
    try:
        run = session.ledger.load(find_run(session, request.name))
    except RunNotFound:
        return None
    if run.is_over or run.spec.name != request.name:
        return None
    if (run.spec.command, run.spec.code.snapshot) == (spec.command, spec.code.snapshot):
        return run
    raise ConflictError(
        f"a run named {request.name} is active, with other code or arguments",
        hint=f"runctl status {run.run_id}, or choose another --name",
        run=run.run_id,
    )
