"""The checkpoints of a run: those that are committed, and count."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from runctl.engine.control import sweep
from runctl.engine.inspection import detail
from runctl.engine.session import Session
from runctl.errors import (
    CheckpointNotFound,
    ConflictError,
    IntegrityError,
    ObjectMissing,
    TransportError,
    UsageError,
)
from runctl.model.checkpoint import CheckpointFile, Manifest
from runctl.model.views import (
    CheckpointDetail,
    CheckpointPlace,
    CheckpointView,
    LocalCheckpoint,
    Verdict,
)
from runctl.store.checkpoints import Checkpoints, find, label_of
from runctl.store.files import file_name, files_under
from runctl.store.formats import Description, describe

LATEST = "latest"
NO_NAME = "?"
_BROKEN = (IntegrityError, ObjectMissing)


class RunCheckpoints:
    """Reads the ledger; what it fetches is verified blob by blob."""

    is_order_certain = True

    def __init__(self, session: Session, run_id: str, notes: tuple[str, ...] = ()) -> None:
        self._session = session
        self._run_id = run_id
        self._checkpoints = Checkpoints(session.ledger, run_id, session.clock)
        self._keys: dict[str, str] = {}  # by label
        self._attempts = 0  # when it was last asked what must stay
        self.place = CheckpointPlace(run_id=run_id, path=None, notes=notes)

    def views(self) -> list[CheckpointView]:
        """Return all that count, oldest first; one that is damaged is BAD, with the reason."""
        return self._look_at(self._checkpoints.keys(), is_deep=False)

    def verify(self, which: str | None, *, is_deep: bool) -> list[CheckpointView]:
        """Look for every blob; ``is_deep`` reads and hashes them all."""
        keys = self._checkpoints.keys() if which is None else [self._find(which)]
        return self._look_at(keys, is_deep=is_deep)

    def describe(self, which: str) -> CheckpointDetail:
        """Fetch a checkpoint to look into it; it is not kept."""
        with _scratch(self._session.cache_dir) as folder:
            key, path, passed_over = self._fetch(which, folder)
            found = self._look_into(key, path)
        manifest = self._checkpoints.read(key)
        files = {file.path: file.size_bytes for file in manifest.files}
        told = detail(_view(manifest), files, found)
        notes = tuple(f"{label} was passed over: {why}" for label, why in passed_over.items())
        return replace(told, notes=(*notes, *told.notes))

    def _look_into(self, key: str, path: Path) -> Description:
        try:
            return describe(path)
        except IntegrityError as error:
            raise self._broken(key, error.message.replace(str(path), path.name)) from error

    def fetch(self, which: str, folder: Path) -> LocalCheckpoint:
        """Bring a checkpoint into ``folder`` under its own name; one that is there is not lost.

        ``latest`` falls back past those that do not verify. Raises ConflictError where other
        content has that name, CheckpointNotFound, IntegrityError or UsageError.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _own_scratch(folder, self._run_id) as scratch:
                key, fetched, passed_over = self._fetch(which, scratch)
                manifest = self._checkpoints.read(key)
                path = self._settle(manifest, fetched, folder / fetched.name)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
        except OSError as error:
            raise TransportError(f"{folder} could not be written: {error.strerror}") from error
        return LocalCheckpoint(
            path=str(path),
            label=manifest.label,
            step=manifest.summary.step,
            size_bytes=manifest.size_bytes,
            passed_over=passed_over,
        )

    def held(self, views: Sequence[CheckpointView]) -> dict[str, str]:  # noqa: ARG002
        """Return what an active attempt needs: where it started from, and its own newest."""
        claims = self._session.ledger.claims(self._run_id)
        self._attempts = len(claims)
        run = self._session.ledger.load(self._run_id)
        if run.is_over or run.last is None:
            return {}
        active = f"attempt {run.last.number}, which is active"
        newest = self._checkpoints.attempt_keys(run.last.number)[-1:]
        claimed = claims[-1].resume_from
        chosen = run.last.resumed.checkpoint if run.last.resumed else None
        start = label_of(claimed) if claimed else chosen
        found = {label_of(key): f"the newest of {active}" for key in newest}
        return found | ({start: f"{active}, was resumed from it"} if start else {})

    def discard(self, views: Sequence[CheckpointView]) -> dict[str, str]:
        """Un-commit these; return those that stayed after all, with the reason."""
        stayed: dict[str, str] = {}
        for view in views:
            if self._session.ledger.is_claimed(self._run_id, self._attempts + 1):
                stayed |= self.held(views)  # somebody has just resumed the run
            if view.label not in stayed:
                self._checkpoints.discard(self._keys[view.label])
        if len(stayed) < len(views):
            self._free()
        return stayed

    def _free(self) -> None:
        """Delete the bytes that no record names any more, and that are a day old."""
        try:
            sweep(self._session)
        except _BROKEN:
            return  # a record that cannot be read may name them: the bytes stay

    def _find(self, which: str) -> str:
        try:
            return find(self._checkpoints, which)
        except CheckpointNotFound as error:
            hint = f"runctl checkpoint list {self._run_id}"
            raise CheckpointNotFound(error.message, hint=hint, run=self._run_id) from error

    def _fetch(self, which: str, folder: Path) -> tuple[str, Path, dict[str, str]]:
        """Bring the wanted checkpoint, or the newest that verifies, into an empty folder."""
        keys = self._checkpoints.keys()[::-1] if which == LATEST else [self._find(which)]
        passed_over: dict[str, str] = {}
        for key in keys:
            try:
                return (
                    key,
                    self._checkpoints.fetch(self._checkpoints.read(key), folder),
                    passed_over,
                )
            except _BROKEN as error:
                if which != LATEST:
                    raise self._broken(key, error.message) from error
                passed_over[label_of(key)] = error.message
        raise CheckpointNotFound(
            f"run {self._run_id} has no committed checkpoint"
            + (f" that verifies, of {len(keys)}" if keys else ""),
            hint=f"runctl checkpoint list {self._run_id}",
            passed_over=passed_over,
        )

    def _broken(self, key: str, reason: str) -> IntegrityError:
        return IntegrityError(
            f"checkpoint {label_of(key)} is not whole: {reason}",
            hint=f"runctl checkpoint list {self._run_id}",
            checkpoint=label_of(key),
        )

    def _settle(self, manifest: Manifest, fetched: Path, target: Path) -> Path:
        """Give the fetched checkpoint its name, unless the very same is there already."""
        if not os.path.lexists(target):
            fetched.rename(target)
        elif not _is_same(manifest, target):
            raise ConflictError(
                f"{target} is there already, and is not checkpoint {manifest.label}",
                hint=f"runctl checkpoint download {self._run_id} {manifest.label} OTHER-FOLDER",
                path=str(target),
            )
        return target

    def _look_at(self, keys: Sequence[str], *, is_deep: bool) -> list[CheckpointView]:
        found = [self._look(key, is_deep=is_deep) for key in keys]
        self._keys = {label_of(key): key for key in keys}
        return [view for view in found if view is not None]

    def _look(self, key: str, *, is_deep: bool) -> CheckpointView | None:
        info = self._session.ledger.objects.head(key)
        if info is None:
            return None  # discarded while we looked
        view = CheckpointView(
            label=label_of(key),
            name=NO_NAME,
            format=NO_NAME,
            size_bytes=0,
            written_at=info.modified_at,
            committed_at=None,
            step=None,
            epoch=None,
            loss=None,
            metrics={},
            verdict=Verdict.BAD,
        )
        try:
            manifest = self._checkpoints.read(key)
            view = _view(manifest)
            self._checkpoints.verify(manifest, deep=is_deep)
        except _BROKEN as error:
            return replace(view, verdict=Verdict.BAD, reason=error.message, committed_at=None)
        return view


def _view(manifest: Manifest) -> CheckpointView:
    return CheckpointView(
        label=manifest.label,
        name=manifest.name,
        format=manifest.summary.format,
        size_bytes=manifest.size_bytes,
        written_at=manifest.written_at,
        committed_at=manifest.committed_at,
        step=manifest.summary.step,
        epoch=manifest.summary.epoch,
        loss=manifest.summary.loss,
        metrics=manifest.summary.metrics,
        verdict=Verdict.GOOD,
    )


def _is_same(manifest: Manifest, path: Path) -> bool:
    """Tell whether what is at ``path`` is this checkpoint, byte for byte."""
    if path.is_symlink() or path.is_dir() != manifest.is_folder:
        return False
    if not manifest.is_folder:
        return _is_same_file(manifest.files[0], path)
    if set(files_under(path)) != {file_name(file) for file in manifest.files}:
        return False
    return all(_is_same_file(file, path / file_name(file)) for file in manifest.files)


def _is_same_file(file: CheckpointFile, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb") as handle:
        return all(
            hashlib.sha256(handle.read(part.size_bytes)).hexdigest() == part.sha256
            for part in file.parts
        )


@contextmanager
def _scratch(cache_dir: Path) -> Iterator[Path]:
    """Give an empty folder for a while; where the cache cannot be written, the system's."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(cache_dir, os.W_OK)
    except OSError:
        is_writable = False
    with TemporaryDirectory(prefix="checkpoint-", dir=cache_dir if is_writable else None) as name:
        yield Path(name)


@contextmanager
def _own_scratch(folder: Path, run_id: str) -> Iterator[Path]:
    """Give an empty folder beside where the bytes go; what a killed download left is removed."""
    scratch = folder / f".runctl-download-{run_id}"
    scratch.mkdir(exist_ok=True)
    descriptor = os.open(scratch, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        _empty(scratch)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConflictError(
            f"another download of this run into {folder} is going on", hint="wait for its end"
        ) from error


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
