"""The checkpoints in a plain folder of this machine; nothing that they hold is executed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from runctl.agent.candidates import candidates
from runctl.agent.openfiles import open_below
from runctl.engine.grave import Grave
from runctl.engine.inspection import UNKNOWN, detail, files_of, inspect
from runctl.engine.pointers import pointed_at
from runctl.engine.retention import series_of
from runctl.engine.session import Session
from runctl.errors import CheckpointNotFound, IntegrityError, RefusedError, UsageError
from runctl.model.codec import escape_name, unescape_name
from runctl.model.views import (
    CheckpointDetail,
    CheckpointPlace,
    CheckpointView,
    LocalCheckpoint,
    Verdict,
)
from runctl.store.files import Signature, sign
from runctl.store.formats import describe, inspect_format

LATEST = "latest"
RECENT = timedelta(seconds=3)
_TELLING = re.compile(
    r"(?:^|[^a-z])(?:ckpt|checkpoint|model|net|weights|state|snapshot|epoch|step|iter|ep|it)"
    r"[-_=. ]?#",
    re.IGNORECASE,
)


class FolderCheckpoints:
    """Each file or folder at the top level that is a checkpoint by its format.

    A path that is itself a checkpoint, file or folder, is the only one there is.
    """

    is_order_certain = False  # a copy has the times of the copying

    def __init__(self, session: Session, path: Path) -> None:
        self._session = session
        self._path = path
        self._signatures: dict[str, Signature] = {}  # by label, as they were when listed
        self._is_single = _is_checkpoint(path)
        self._folder = path.parent if self._is_single else path
        self.place = CheckpointPlace(run_id=None, path=str(path))

    def views(self) -> list[CheckpointView]:
        """Return all, oldest first by the time of their last write."""
        return self._look_at(self._paths(), is_deep=False)

    def verify(self, which: str | None, *, is_deep: bool) -> list[CheckpointView]:
        """Judge their structure; ``is_deep`` checks every checksum that a format has."""
        if which is None:
            return self._look_at(self._paths(), is_deep=is_deep)
        wanted = self._find(which)[-1]
        return self._look_at([self._path_of(wanted.label)], is_deep=is_deep)

    def describe(self, which: str) -> CheckpointDetail:
        """Say what is inside; IntegrityError where it is torn."""
        found = self._find(which)
        view = _newest(found) if which == LATEST else found[-1]
        path = self._path_of(view.label)
        told = detail(view, files_of(path, sign(path)), describe(path))
        newer = found[found.index(view) + 1 :]
        notes = tuple(f"{each.label} was passed over: {each.reason}" for each in newer)
        return replace(told, notes=(*notes, *told.notes))

    def choose(self, which: str | None) -> LocalCheckpoint:
        """Return the one to resume from: the wanted, or the newest that is whole to its end."""
        passed_over: dict[str, str] = {}
        for view in reversed(self._find(which or LATEST)):
            judged = inspect(self._path_of(view.label), is_deep=True) or view
            is_good = judged.verdict is Verdict.GOOD
            if is_good or (which not in (None, LATEST) and judged.verdict is Verdict.UNKNOWN):
                return self._local(judged, passed_over)
            if which not in (None, LATEST):
                raise self._torn(judged)
            passed_over[view.label] = judged.reason
        raise CheckpointNotFound(
            f"no checkpoint in {self._path} is whole", hint=self._hint, passed_over=passed_over
        )

    def fetch(self, which: str, folder: Path) -> LocalCheckpoint:
        raise UsageError(
            f"{self._path} is on this machine already: only a run's checkpoint is downloaded",
            hint=f"runctl checkpoint verify {self._path} {which} --deep, and cp it to {folder}",
        )

    def held(self, views: Sequence[CheckpointView]) -> dict[str, str]:
        """Return those that are in use, or of which it is not sure that they are checkpoints.

        RefusedError where this machine cannot tell which files are open.
        """
        opened = open_below(self._folder)
        if opened is None:
            raise RefusedError(
                f"which files in {self._folder} are open cannot be told on this machine",
                hint="install lsof",
            )
        pointed = pointed_at(self._folder, [self._path_of(view.label) for view in views])
        reasons = ((view.label, self._reason(view, opened, pointed)) for view in views)
        return {label: reason for label, reason in reasons if reason is not None}

    def discard(self, views: Sequence[CheckpointView]) -> dict[str, str]:
        """Delete these, unless they have changed since they were listed."""
        grave = Grave(self._folder, self._session.chance)
        grave.clear()
        stayed: dict[str, str] = {}
        for view in views:
            reason = grave.bury(self._path_of(view.label), self._signatures[view.label])
            if reason is not None:
                stayed[view.label] = reason
        return stayed

    def _reason(
        self, view: CheckpointView, opened: set[str], pointed: dict[Path, str]
    ) -> str | None:
        path = self._path_of(view.label)
        real = str(path.resolve())
        if any(each == real or each.startswith(f"{real}/") for each in opened):
            return "a process has it open"
        if path in pointed:
            return pointed[path]
        if self._session.clock() - view.written_at < RECENT:
            return "it was written just now"
        is_telling = view.step is not None or view.epoch is not None
        if not is_telling and _TELLING.search(series_of(view.name)) is None:
            return "nothing in it, nor its name, tells how far training was: it may be data"
        return None

    def _paths(self) -> list[Path]:
        if self._is_single:
            return [self._path]
        return [Path(entry.path) for entry in candidates(self._path)]

    def _look_at(self, paths: Sequence[Path], *, is_deep: bool) -> list[CheckpointView]:
        views = [view for path in paths if (view := self._look(path, is_deep=is_deep)) is not None]
        return sorted(views, key=lambda view: (view.written_at, view.step or 0, view.name))

    def _look(self, path: Path, *, is_deep: bool) -> CheckpointView | None:
        try:
            self._signatures[escape_name(path.name)] = sign(path)
        except (OSError, IntegrityError):
            pass  # inspect says what is the matter; without a signature it is never deleted
        return inspect(path, is_deep=is_deep)

    def _find(self, which: str) -> list[CheckpointView]:
        """Return those that answer, oldest first: all of them for ``latest``; never none."""
        views = self.views()
        if which == LATEST and views:
            return views
        found = [view for view in views if which in _names_of(view)]
        if not found:
            what = "no checkpoint" if which == LATEST else f"no checkpoint {which}"
            raise CheckpointNotFound(f"there is {what} in {self._path}", hint=self._hint)
        return found

    def _path_of(self, label: str) -> Path:
        return self._folder / unescape_name(label)

    def _local(self, view: CheckpointView, passed_over: dict[str, str]) -> LocalCheckpoint:
        return LocalCheckpoint(
            path=str(self._path_of(view.label).absolute()),
            label=view.label,
            step=view.step,
            size_bytes=view.size_bytes,
            passed_over=passed_over,
        )

    def _torn(self, view: CheckpointView) -> IntegrityError:
        return IntegrityError(
            f"checkpoint {view.label} is not whole: {view.reason}", hint=self._hint
        )

    @property
    def _hint(self) -> str:
        return f"runctl checkpoint list {self._path}"


def _is_checkpoint(path: Path) -> bool:
    """Tell a checkpoint from a folder of them, which may hold the final model as well."""
    if path.is_file():
        return True
    if inspect_format(path).name == UNKNOWN:
        return False
    folders = (Path(entry.path) for entry in candidates(path) if entry.is_dir())
    return all(inspect_format(folder).name == UNKNOWN for folder in folders)


def _names_of(view: CheckpointView) -> tuple[str, ...]:
    return (view.label, unescape_name(view.name), f"step={view.step}")


def _newest(views: Sequence[CheckpointView]) -> CheckpointView:
    """Return the newest that is whole, else the newest that may be, else the newest."""
    for verdict in (Verdict.GOOD, Verdict.UNKNOWN):
        found = [view for view in views if view.verdict is verdict]
        if found:
            return found[-1]
    return views[-1]
