"""What is asked for, looked at before anything is written: the project, its files, the settings."""

from __future__ import annotations

import difflib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from runctl.config import Settings
from runctl.engine.declaring import read_declaration
from runctl.engine.kept import find_kept
from runctl.engine.session import Session
from runctl.engine.travel import choose_files
from runctl.engine.wishes import environment_wish
from runctl.errors import ScriptNotFound, UsageError
from runctl.model.ids import is_run_name
from runctl.model.spec import Spec
from runctl.model.views import LaunchRequest
from runctl.project import ProjectRoot, Selection, find_root


@dataclass(frozen=True)
class Prepared:
    """A request that makes sense: root, files and settings are decided, nothing is written."""

    request: LaunchRequest
    root: ProjectRoot
    cwd: str
    selection: Selection
    settings: Settings
    environment: str  # what decides it, and why
    kept: Spec | None = None  # the run whose code is used again: then nothing is selected


def locate(request: LaunchRequest, cwd: Path) -> ProjectRoot:
    """Return the project of the script, or raise ScriptNotFound or UsageError."""
    script = cwd / request.script
    override = cwd / request.project_root if request.project_root else None
    if not request.script:
        raise UsageError("the script has no name", hint="runctl train SCRIPT")
    if request.is_code_kept:
        return find_root(script, override)
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
    inside = "." if inside.startswith("..") else inside
    if request.is_code_kept:
        return _prepare_kept(request, root, session, inside)
    required = [root.script, *settings.environment.requirements]
    selection = choose_files(session, root, request.include, request.exclude, required)
    environment = _decide_environment(request, root, session, selection)
    return Prepared(request, root, inside, selection, settings, environment)


def _decide_environment(
    request: LaunchRequest, root: ProjectRoot, session: Session, selection: Selection
) -> str:
    """Say what decides the environment: the container's image, or what the project declares."""
    settings = session.config.values
    if settings.docker.image is not None:
        return f"what the image {settings.docker.image} has"
    return read_declaration(root, selection, environment_wish(settings, request)).reason


def _prepare_kept(
    request: LaunchRequest, root: ProjectRoot, session: Session, inside: str
) -> Prepared:
    if request.include or request.exclude or request.explain:
        raise UsageError(
            "patterns choose among the files here, and --no-sync-code sends none of them",
            hint="leave out one or the other",
        )
    settings = session.config.values
    kept = find_kept(session, root, settings.run.on)
    environment = f"what the code of run {kept.name} declares"
    nothing = Selection(root.path, (), (), ())
    return Prepared(request, root, inside, nothing, settings, environment, kept)


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
