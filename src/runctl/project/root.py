"""The project root: decided once, from where the script lies.

1. ``--project-root``;
2. the nearest folder with a ``.runctl.toml``, up to the git work tree's top;
3. the git work tree (a submodule or linked worktree is one of its own);
4. the nearest folder with a ``pyproject.toml``, ``setup.py``, ``uv.lock`` or ``requirements.txt``;
5. the script's own folder.

A package's own ``pyproject.toml`` inside a repository does not make it a root: code of a
monorepo imports its neighbours. A ``.runctl.toml`` beside it does. The search never goes as far
as the home folder or ``/``: neither is a project, and both hold keys that must not travel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from runctl.errors import NotFoundError, RefusedError, UsageError

PROJECT_FILE = ".runctl.toml"
MARKERS = ("pyproject.toml", "setup.py", "uv.lock", "requirements.txt")


class ProjectRoot(Struct, frozen=True):
    """A folder, why it was chosen, and the script's path inside it (posix, relative)."""

    path: Path
    reason: str
    script: str


def find_root(script: Path, override: Path | None = None) -> ProjectRoot:
    """Decide the root for ``script``; nothing is asked of git.

    Raises UsageError when the script lies outside ``override``, NotFoundError when that is no
    folder, RefusedError when only the home folder or ``/`` is left to choose.
    """
    script = Path(os.path.abspath(script))
    if override is not None:
        return _take_override(script, override)
    folder, reason = _search(script.parent)
    return ProjectRoot(folder.resolve(), reason, script.relative_to(folder).as_posix())


def _take_override(script: Path, override: Path) -> ProjectRoot:
    if not override.is_dir():
        raise NotFoundError(f"the project root {override} is not a folder")
    folder = Path(os.path.abspath(override))
    for inner, outer in ((script, folder), (script.resolve(), folder.resolve())):
        if inner.is_relative_to(outer):
            relative = inner.relative_to(outer).as_posix()
            return ProjectRoot(folder.resolve(), "given as --project-root", relative)
    raise UsageError(
        f"the script {script} is outside the project root {folder}",
        hint=f"choose a root that holds the script: --project-root {script.parent}",
    )


def _search(start: Path) -> tuple[Path, str]:
    ancestors = list(_ancestors(start))
    worktree = next((folder for folder in ancestors if is_worktree(folder)), None)
    within = ancestors[: ancestors.index(worktree) + 1] if worktree else ancestors
    for folder in within:
        if (folder / PROJECT_FILE).is_file():
            return folder, f"nearest {PROJECT_FILE}"
    if worktree is not None:
        return worktree, "git work tree"
    for folder in ancestors:
        for marker in MARKERS:
            if (folder / marker).is_file():
                return folder, f"nearest {marker}"
    return _take_own_folder(start)


def _take_own_folder(start: Path) -> tuple[Path, str]:
    is_explicit = (start / PROJECT_FILE).is_file()
    if _is_boundary(start) and not is_explicit:
        raise RefusedError(
            f"the script lies directly in {start}, and all of {start} would travel with it",
            hint="move the script into a folder of its own, or name one with --project-root",
        )
    return start, f"nearest {PROJECT_FILE}" if is_explicit else "the script's folder"


def _ancestors(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        if _is_boundary(folder):
            return
        yield folder


def _is_boundary(folder: Path) -> bool:
    return folder == folder.parent or folder.resolve() == Path.home().resolve()


def is_worktree(folder: Path) -> bool:
    """Is this the top of a git work tree: ``.git`` a repository, or a file that points to one?"""
    mark = folder / ".git"
    return os.path.isfile(mark) or os.path.exists(mark / "HEAD")  # a closed folder is none


def find_worktree(folder: Path) -> Path | None:
    """The git work tree that ``folder`` is in, even where its top is the home folder."""
    return next((each for each in (folder, *folder.parents) if is_worktree(each)), None)
