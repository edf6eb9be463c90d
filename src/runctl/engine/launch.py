"""From a request to a running attempt, in two steps: plan it, then do it.

``--dry-run`` is stopping after the first step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import asdict, replace

from runctl.engine.concerns import require_acceptance
from runctl.engine.instances import collect_secrets, is_revivable, start_attempt
from runctl.engine.kept import plan_kept
from runctl.engine.outcome import judge, lost_instance
from runctl.engine.placing import Placement, claim_on, placed, with_volumes
from runctl.engine.preparing import Prepared
from runctl.engine.references import find_run
from runctl.engine.renting.creation import asked_bytes, is_undecided
from runctl.engine.renting.intents import Intent, take_up
from runctl.engine.session import Session, provider_of
from runctl.engine.specs import make_spec, name_stem, with_id
from runctl.engine.staying import launch_notes
from runctl.engine.travel import plan_travel
from runctl.errors import ConflictError, RunctlError, RunNotFound
from runctl.model.checkpoint import Part
from runctl.model.hyperparams import to_arguments
from runctl.model.run import Attempt, Run, State, begin
from runctl.model.spec import Spec
from runctl.model.terms import Terms
from runctl.model.travel import KeptCode
from runctl.model.views import LaunchPlan, LaunchRequest
from runctl.model.volume import VolumeForesight
from runctl.project import git_state


def describe(prepared: Prepared, session: Session, cwd: Path) -> LaunchPlan:
    """Say what a launch would do, or raise what would stand in its way."""
    root, settings = prepared.root, prepared.settings
    kept, commit = prepared.kept, _git_of(prepared)
    if kept is None:
        selection, explain = prepared.selection, prepared.request.explain
        travel = plan_travel(session, root, selection, explain, cwd)
    else:
        travel = plan_kept(session, root, kept)
    travel = replace(travel, notes=(*travel.notes, *launch_notes(settings, session.environ)))
    return LaunchPlan(
        **asdict(travel),
        target=settings.run.on,
        name=prepared.request.name or f"{name_stem(root)}-…",
        script=root.script,
        cwd=prepared.cwd,
        command=(
            os.path.relpath(root.script, prepared.cwd),
            *to_arguments(settings.run.hyperparams),
            *prepared.request.arguments,
        ),
        kept=KeptCode(run_id=kept.run_id, name=kept.name, snapshot=kept.code.snapshot)
        if kept
        else None,
        environment=prepared.environment,
        data=prepared.request.data,
        published_to=prepared.request.published_to,
        volumes=_foresee_volumes(prepared, session),
        git_commit=commit[0],
        is_dirty=commit[1],
        ledger=session.ledger.objects.url,
        settings={item.key: item.text for item in session.config.settings()},
    )


def _foresee_volumes(prepared: Prepared, session: Session) -> tuple[VolumeForesight, ...]:
    """Say which volumes are meant; nobody else may have them."""
    if not prepared.request.volumes:
        return ()
    from runctl.engine.mounting import foresee  # noqa: PLC0415 - few runs have any

    target = prepared.settings.run.on
    return foresee(session, target, prepared.request.volumes, is_strict=True).volumes


def _git_of(prepared: Prepared) -> tuple[str | None, bool | None]:
    """Where git stands, or stood when the code was sent; and whether files differ from it."""
    if prepared.kept is not None:
        return prepared.kept.code.git_commit, prepared.kept.code.is_dirty
    git = git_state(prepared.root.path)
    return (git.commit, git.is_dirty) if git else (None, None)


@dataclass(frozen=True)
class Launched:
    """``intent`` is there where an instance was rented: it is settled once the user knows."""

    run: Run
    intent: Intent | None = None


def launch(prepared: Prepared, session: Session, terms: Terms) -> Launched:
    """Store the code, write the spec, claim attempt 1 and start it; return the run.

    A run of the same name that is active and asks for the same thing is adopted, and its
    launch finished if it was cut short; any other of that name is a conflict. So is the run of
    a call that rented an instance and was killed.
    """
    secrets = collect_secrets(prepared.settings.run.secrets, session.environ)
    require_acceptance(session, prepared.selection, terms.accept)
    spec = make_spec(prepared, session)
    for note in launch_notes(prepared.settings, session.environ):
        terms.tell(note)
    intent = _intend(prepared, session, spec) if spec.wish is not None else None
    if intent is not None:
        spec = with_id(spec, intent.token, prepared)
    try:
        if intent is None or not intent.is_taken_up:
            _foresee_volumes(prepared, session)  # before anything costs
        run_id = _launch(prepared, session, spec, intent, secrets, terms)
    except RunctlError as error:
        if intent is not None and not is_undecided(error):
            intent.settle()
        raise
    return Launched(session.ledger.load(run_id), intent)


def _launch(
    prepared: Prepared,
    session: Session,
    spec: Spec,
    intent: Intent | None,
    secrets: Mapping[str, str],
    terms: Terms,
) -> str:
    """Launch the run, or take up the one that is meant; return its id."""
    adopted = _adopt(spec, prepared.request, session) or _left_behind(session, intent)
    if adopted is not None:
        terms.tell(f"taking up run {adopted.spec.name} ({adopted.run_id}), which was begun before")
    if adopted is None or adopted.last is None:
        spec = adopted.spec if adopted else spec
        _launch_new(prepared, session, spec, secrets, terms)
        return spec.run_id
    if adopted.last.state is State.PENDING or judge(session, adopted.run_id).is_over:
        _start_again(session, adopted, adopted.last, secrets)
    return adopted.run_id


def _start_again(session: Session, run: Run, last: Attempt, secrets: Mapping[str, str]) -> None:
    """Finish a launch that was cut short, or bring back an agent that was killed."""
    if not is_revivable(session, run):
        raise lost_instance(run)
    start_attempt(session, run.spec, last.instance, last.number, secrets=secrets)


def _intend(prepared: Prepared, session: Session, spec: Spec) -> Intent:
    """Write down what is about to be rented; take up what a killed call has begun.

    A run that is over by now is no longer what is asked for.
    """
    moment = datetime.min.replace(tzinfo=UTC)
    # The same code may lie in other packs by now.
    code = replace(spec.code, record=Part(sha256=spec.code.snapshot, size_bytes=0))
    timeless = replace(with_id(spec, "", prepared), created_at=moment, code=code)
    asked = asked_bytes(session, provider_of(session, spec), timeless)
    folder = session.user_dir / "intents"
    intent = take_up(folder, asked, lambda: spec.run_id)
    left = _left_behind(session, intent)
    if left is not None and (left.is_over or _has_come_to_nothing(session, left)):
        intent.settle()
        intent = take_up(folder, asked, lambda: spec.run_id)
    return intent


def _has_come_to_nothing(session: Session, run: Run) -> bool:
    """Tell whether it was never started, and its instance is gone."""
    is_pending = run.last is not None and run.last.state is State.PENDING
    return is_pending and not is_revivable(session, run)


def _is_same(run: Spec, asked: Spec) -> bool:
    return _what(run) == _what(asked)


def _what(spec: Spec) -> tuple[object, ...]:
    """Return what is asked for, but for how."""
    code, target = spec.code.snapshot, spec.target
    wanted = (spec.wish, spec.data, spec.published_to, spec.volumes, spec.container)
    return (spec.command, code, target, *wanted)


def _left_behind(session: Session, intent: Intent | None) -> Run | None:
    if intent is None or not intent.is_taken_up:
        return None
    try:
        return session.ledger.load(intent.token)
    except RunNotFound:
        return None


def _launch_new(
    prepared: Prepared, session: Session, spec: Spec, secrets: Mapping[str, str], terms: Terms
) -> None:
    """Place attempt 1, and start it; a run is written only once there is a place for it."""
    with placed(session, spec, 1, terms) as place:
        placement = with_volumes(session, spec, place, (), terms.tell)
        if not session.ledger.has_spec(spec.run_id):
            session.ledger.create_run(spec)
        _begin_first(prepared, session, spec, placement, secrets)


def _begin_first(
    prepared: Prepared,
    session: Session,
    spec: Spec,
    placement: Placement,
    secrets: Mapping[str, str],
) -> None:
    """Claim attempt 1 and start it; where it is refused, the run is taken back."""
    _import_checkpoint(prepared, session, spec)
    claim = claim_on(session, begin(spec), placement, reason="launched")
    session.ledger.claim(spec.run_id, claim)
    is_queued = prepared.request.is_queued
    try:
        start_attempt(session, spec, placement.instance, 1, secrets=secrets, is_queued=is_queued)
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
    if _is_same(run.spec, spec):
        return run
    raise ConflictError(
        f"a run named {request.name} is active, with other code, arguments or target",
        hint=f"runctl status {run.run_id}, or choose another --name",
        run=run.run_id,
    )
