"""From a request to a running attempt, in two steps: plan it, then do it.

``--dry-run`` is stopping after the first step.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runctl.config import Settings, owner_id
from runctl.engine.instances import collect_secrets, start_attempt
from runctl.engine.outcome import judge
from runctl.engine.placing import place
from runctl.engine.references import find_run
from runctl.engine.session import Session
from runctl.errors import (
    ConflictError,
    RefusedError,
    RunNotFound,
    ScriptNotFound,
    UsageError,
)
from runctl.model import VERSION
from runctl.model.codec import escape_name
from runctl.model.hyperparams import to_arguments
from runctl.model.ids import is_run_name, make_run_id
from runctl.model.quantities import format_size
from runctl.model.run import Run, State, begin
from runctl.model.spec import CheckpointWish, Code, Command, EnvironmentWish, Limits, Spec
from runctl.model.views import LaunchPlan, LaunchRequest
from runctl.project import ProjectRoot, Selection, find_root, git_state, select_files
from runctl.store.blobs import Blobs
from runctl.store.ledger import next_claim
from runctl.store.snapshot import store_tree

LARGEST = 5
STEM_CHARACTERS = 40


@dataclass(frozen=True)
class Prepared:
    """A request that makes sense: root, files and settings are decided, nothing is written."""

    request: LaunchRequest
    root: ProjectRoot
    cwd: str
    selection: Selection
    settings: Settings


def locate(request: LaunchRequest, cwd: Path) -> ProjectRoot:
    """Return the project of the script, or raise ScriptNotFound or UsageError."""
    script = cwd / request.script
    if not request.script:
        raise UsageError("the script has no name", hint="runctl train SCRIPT")
    if script.is_dir():
        raise UsageError(
            f"{request.script} is a folder; a script is needed",
            hint=_propose(sorted(p.name for p in script.glob("*.py")), script),
        )
    if not script.exists():
        raise ScriptNotFound(
            f"there is no script {request.script}", hint=_near(script), script=request.script
        )
    if not script.is_file():
        raise UsageError(
            f"{request.script} is not a file; a script is needed",
            hint=_propose(sorted(p.name for p in script.parent.glob("*.py")), script.parent),
        )
    if not os.access(script, os.R_OK):
        raise UsageError(
            f"the script {request.script} cannot be read",
            hint=shlex.join(["chmod", "u+r", request.script]),
        )
    override = cwd / request.project_root if request.project_root else None
    return find_root(script, override)


def prepare(request: LaunchRequest, root: ProjectRoot, session: Session, cwd: Path) -> Prepared:
    """Select the files, and refuse what cannot work before anything is written."""
    settings = session.config.values
    if request.name is not None and not is_run_name(request.name):
        raise UsageError(
            f"{request.name!r} cannot name a run",
            hint="use letters, digits, '.', '_' and '-', at most 63, a letter or digit first",
        )
    inside = os.path.relpath(cwd.resolve(), root.path)
    selection = select_files(
        root.path,
        (*settings.code.include, *request.include),
        (*settings.code.exclude, *request.exclude),
        own_folders=_own_folders(root, session),
        required=[root.script],
    )
    if selection.total_bytes > settings.code.max_bytes:
        raise RefusedError(
            f"the code is {format_size(selection.total_bytes)}, above the limit "
            f"code.max_bytes = {format_size(settings.code.max_bytes)}; the largest file is "
            f"{_largest(selection)[0][0]}",
            hint="runctl train … --exclude-pattern GLOB, or runctl config set code.max_bytes 5GiB",
        )
    return Prepared(request, root, "." if inside.startswith("..") else inside, selection, settings)


def _own_folders(root: ProjectRoot, session: Session) -> list[str]:
    """Return what is written while runs go on, relative to the root: it is no code."""
    found = [session.config.values.checkpoint.dir or ""]
    if "://" not in session.ledger.objects.url:
        found.append(os.path.relpath(os.path.realpath(session.ledger.objects.url), root.path))
    return [folder for folder in found if folder not in ("", ".")]


def describe(prepared: Prepared, session: Session) -> LaunchPlan:
    """Say what a launch would do."""
    from runctl.agent.environment import detect  # noqa: PLC0415 - a launch itself needs neither
    from runctl.agent.phases import settings_of  # noqa: PLC0415

    root, settings = prepared.root, prepared.settings
    git = git_state(root.path)
    script = root.path / root.script
    source = detect(root.path, script, settings_of(_environment(settings)))
    return LaunchPlan(
        target=settings.run.on,
        name=prepared.request.name or f"{_stem(root)}-…",
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
        largest=_largest(prepared.selection),
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
    spec = _make_spec(prepared, session)
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


def _make_spec(prepared: Prepared, session: Session) -> Spec:
    settings, root = prepared.settings, prepared.root
    now = session.clock()
    run_id = make_run_id(now, session.chance(4))
    return Spec(
        run_id=run_id,
        name=prepared.request.name or f"{_stem(root)}-{run_id[-5:]}",
        project=root.path.name or "project",
        owner=owner_id(session.user_dir),
        created_at=now,
        target=settings.run.on,
        command=_command(prepared),
        code=_store_code(prepared, session),
        environment=_environment(settings),
        checkpoint=CheckpointWish(
            folder=escape_name(settings.checkpoint.dir) if settings.checkpoint.dir else None,
            keep_last=settings.checkpoint.keep_last,
            interval=settings.checkpoint.interval,
            settle=settings.checkpoint.settle,
        ),
        limits=Limits(
            max_time=settings.run.max_time,
            grace=settings.run.grace,
            retries=settings.run.retries,
        ),
        gpus=prepared.request.gpus,
        runctl_version=VERSION,
    )


def _stem(root: ProjectRoot) -> str:
    """Return how the names of this script's runs begin: as they must, and not too long."""
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in Path(root.script).stem)
    return stem.strip("-")[:STEM_CHARACTERS] or "run"


def _command(prepared: Prepared) -> Command:
    run = prepared.settings.run
    return Command(
        script=escape_name(prepared.root.script),
        cwd=escape_name(prepared.cwd),
        arguments=tuple(map(escape_name, prepared.request.arguments)),
        hyperparams=run.hyperparams,
        env={key: escape_name(value) for key, value in run.env.items()},
        secrets=run.secrets,
    )


def _store_code(prepared: Prepared, session: Session) -> Code:
    blobs = Blobs(session.ledger.objects, session.clock)
    part, tree = store_tree(blobs, prepared.root.path, prepared.selection.paths)
    git = git_state(prepared.root.path)
    return Code(
        snapshot=part.sha256,
        tree_bytes=part.size_bytes,
        file_count=len(tree.entries),
        total_bytes=tree.total_bytes,
        git_commit=git.commit if git else None,
        is_dirty=git.is_dirty if git else None,
    )


def _environment(settings: Settings) -> EnvironmentWish:
    wish = settings.environment
    return EnvironmentWish(
        install=wish.install,
        installer=wish.installer,
        python=wish.python,
        requirements=wish.requirements,
        system_site_packages=wish.system_site_packages,
        no_deps=wish.no_deps,
    )


def _largest(selection: Selection) -> tuple[tuple[str, int], ...]:
    entries = sorted(selection.entries, key=lambda entry: -entry.size_bytes)[:LARGEST]
    return tuple((entry.path, entry.size_bytes) for entry in entries)


def _near(script: Path) -> str:
    """Return what may have been meant: near names in the folder, else the scripts it has."""
    try:
        names = [path.name for path in script.parent.iterdir() if path.is_file()]
    except OSError:
        return shlex.join(["ls", str(script.parent.parent)])
    alike = [name for name in names if _fold(name) == _fold(script.name)]
    near = alike or difflib.get_close_matches(script.name, names, n=3, cutoff=0.5)
    return _propose(near or sorted(n for n in names if n.endswith((".py", ".sh"))), script.parent)


def _propose(names: list[str], folder: Path) -> str:
    if not names:
        return shlex.join(["ls", str(folder)])
    return "did you mean " + " or ".join(shlex.quote(str(folder / n)) for n in names[:3]) + "?"


def _fold(name: str) -> str:
    return Path(name).stem.casefold()
