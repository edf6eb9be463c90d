"""What of a project travels: chosen by its rules, told with reasons before anything is sent."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from runctl.engine.changes import changes_since_last
from runctl.engine.concerns import concerns_of
from runctl.engine.session import Session
from runctl.errors import RefusedError, UsageError
from runctl.model.quantities import format_size
from runctl.model.travel import Explanation, Traveller, TravelPlan
from runctl.project import ProjectRoot, Selection, find_root, pattern_of, select_files

LARGEST = 5


def locate_project(cwd: Path, override: str | None) -> ProjectRoot:
    """Return the project that ``cwd`` is in, or the folder that is given for it."""
    folder = cwd / override if override else None
    return find_root((folder or cwd) / "any-script", folder)


def choose_files(
    session: Session,
    root: ProjectRoot,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    required: Sequence[str] = (),
) -> Selection:
    """Select what travels; raise RefusedError where it is more than ``code.max_bytes``."""
    settings = session.config.values.code
    selection = select_files(
        root.path,
        (*settings.include, *include),
        (*settings.exclude, *exclude),
        own_folders=_own_folders(root, session),
        required=required,
    )
    if selection.total_bytes > settings.max_bytes:
        largest = largest_files(selection)[0][0]
        raise RefusedError(
            f"the code of {root.path} is {format_size(selection.total_bytes)}, above the limit "
            f"code.max_bytes = {format_size(settings.max_bytes)}; the largest file is {largest}",
            hint=f"leave it here: {shlex.join(['--exclude-pattern', pattern_of(largest)])}; "
            "or runctl config set code.max_bytes 5GiB",
        )
    return selection


def plan_travel(
    session: Session, root: ProjectRoot, selection: Selection, explain: Sequence[str], cwd: Path
) -> TravelPlan:
    """Say what would travel, why, and what has changed since the last run of the project."""
    changes, notes = changes_since_last(session, selection)
    return TravelPlan(
        project_root=str(root.path),
        root_reason=root.reason,
        file_count=len(selection.entries),
        total_bytes=selection.total_bytes,
        files=tuple(
            Traveller(path=one.path, kind=one.kind, size_bytes=one.size_bytes, reason=one.reason)
            for one in selection.entries
        ),
        stays=tuple(
            Explanation(path=one.path, is_in=False, reason=one.reason) for one in selection.skipped
        ),
        largest=largest_files(selection),
        explained=tuple(_explain(selection, path, cwd) for path in explain),
        changes=changes,
        concerns=concerns_of(session, selection),
        notes=(*selection.notes, *session.config.notes, *notes),
    )


def largest_files(selection: Selection) -> tuple[tuple[str, int], ...]:
    entries = sorted(selection.entries, key=lambda entry: -entry.size_bytes)[:LARGEST]
    return tuple((entry.path, entry.size_bytes) for entry in entries)


def _own_folders(root: ProjectRoot, session: Session) -> list[str]:
    """Return what is written while runs go on, relative to the root: it is no code."""
    found = [session.config.values.checkpoint.dir or ""]
    if "://" not in session.ledger.objects.url:
        found.append(os.path.relpath(os.path.realpath(session.ledger.objects.url), root.path))
    return [folder for folder in found if folder not in ("", ".")]


def _explain(selection: Selection, typed: str, cwd: Path) -> Explanation:
    path = _in_project(selection.root, typed, cwd)
    is_in, reason = selection.explain(path)
    return Explanation(path=path, is_in=is_in, reason=reason)


def _in_project(root: Path, typed: str, cwd: Path) -> str:
    """Return a path relative to the root: taken from here, else from the root."""
    for start in (cwd, root):
        full = Path(os.path.abspath(start / typed))
        # The last part may be a link, which is explained as such.
        full = full if full == root else full.parent.resolve() / full.name
        if full.is_relative_to(root) and (start == root or os.path.lexists(full)):
            return full.relative_to(root).as_posix()
    raise UsageError(
        f"{typed} is not in the project root {root}",
        hint="name a path in the project: --explain PATH",
        path=typed,
    )
