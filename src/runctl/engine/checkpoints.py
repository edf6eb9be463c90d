"""Checkpoints of a run or of a plain folder, behind one set of verbs."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from runctl.engine.folder_checkpoints import FolderCheckpoints
from runctl.engine.references import find_run
from runctl.engine.retention import find_best, plan
from runctl.engine.run_checkpoints import RunCheckpoints
from runctl.engine.session import Session
from runctl.errors import AmbiguousRun, CheckpointNotFound, RunNotFound, UsageError
from runctl.model.views import (
    CheckpointDetail,
    CheckpointPlace,
    CheckpointView,
    CleanupItem,
    LocalCheckpoint,
)


class CheckpointSource(Protocol):
    """Where checkpoints are. ``which`` is ``latest``, a label, a name, or ``step=N``."""

    @property
    def place(self) -> CheckpointPlace: ...

    @property
    def is_order_certain(self) -> bool:
        """Whether the order of ``views`` is that in which they were written, for sure."""

    def views(self) -> list[CheckpointView]:
        """Return all, oldest first, a damaged one as BAD with its reason."""

    def describe(self, which: str) -> CheckpointDetail:
        """Say what is inside; of ``latest``, the newest that is whole."""

    def verify(self, which: str | None, *, is_deep: bool) -> list[CheckpointView]: ...

    def fetch(self, which: str, folder: Path) -> LocalCheckpoint: ...

    def held(self, views: Sequence[CheckpointView]) -> dict[str, str]:
        """Return the labels of those that must stay, with the reason; RefusedError if unsure."""

    def discard(self, views: Sequence[CheckpointView]) -> dict[str, str]:
        """Delete these; return the labels of those that stayed after all, with the reason."""


def open_source(session: Session, cwd: Path, target: str) -> CheckpointSource:
    """Return what ``target`` names: a path, where it looks like one; else a run; else a folder.

    Raises CheckpointNotFound, RunNotFound or AmbiguousRun.
    """
    path = _resolve(session, cwd, target)
    if _looks_like_path(target):
        return open_folder(session, cwd, target)
    try:
        run_id = find_run(session, target)
    except (RunNotFound, AmbiguousRun):
        if target and os.path.lexists(path):
            return open_folder(session, cwd, target)
        raise
    note = f"{target} is also a folder here: ./{target} names it"
    return RunCheckpoints(session, run_id, (note,) if path.exists() else ())


def open_folder(session: Session, cwd: Path, target: str) -> FolderCheckpoints:
    """Return the checkpoints at a path: in a folder, or the one that the path itself is."""
    path = _resolve(session, cwd, target)
    if not path.exists():
        raise CheckpointNotFound(
            f"there is no folder {target}",
            hint="runctl checkpoint list FOLDER, or RUN: runctl runs",
            path=str(path),
        )
    return FolderCheckpoints(session, path)


def clean(
    source: CheckpointSource,
    *,
    keep_last: int,
    best: str | None = None,
    is_maximised: bool | None = None,
    only: Collection[str] | None = None,
    is_dry_run: bool = False,
) -> list[CleanupItem]:
    """Delete what is neither of the last N, nor the best, nor in use; say what became of each.

    ``only``: the labels of those that were agreed upon; nothing else goes.
    """
    if keep_last < 1:
        raise UsageError("at least one checkpoint stays", hint="--keep-last 1")
    views = source.views()
    items = plan(
        views,
        keep_last=keep_last,
        best=find_best(views, best, is_maximised) if best is not None else None,
        held=source.held(views),
        is_order_certain=source.is_order_certain,
    )
    if is_dry_run:
        return items
    going = {item.label for item in items if not item.is_kept}
    agreed = going if only is None else going & set(only)
    stayed = dict.fromkeys(going - agreed, "it was not asked about")
    stayed |= source.discard([view for view in views if view.label in agreed])
    return [
        replace(item, is_kept=True, reason=stayed[item.label]) if item.label in stayed else item
        for item in items
    ]


def _looks_like_path(target: str) -> bool:
    return os.sep in target or target.startswith((".", "~"))


def _resolve(session: Session, cwd: Path, target: str) -> Path:
    home = session.environ.get("HOME")
    if home and (target == "~" or target.startswith("~/")):
        return Path(home, target[2:])
    return cwd / target
