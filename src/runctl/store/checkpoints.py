"""The commit protocol: every part is in the store before the manifest says so.

Committed bytes are immutable, so no late writer can change what a manifest means.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from runctl.errors import (
    CheckpointChanged,
    CheckpointNotFound,
    IntegrityError,
    ObjectExists,
    ObjectMissing,
)
from runctl.model.checkpoint import CheckpointFile, Manifest, SealedManifest, Summary
from runctl.model.codec import decode, encode, escape_name, unescape_name
from runctl.model.paths import RunPaths, check_relative
from runctl.store.blobs import Blobs, Clock
from runctl.store.files import Signature, fetch_file, file_name, files_under, sign, store_file
from runctl.store.ledger import Ledger, counted_manifests


@dataclass(frozen=True)
class Committed:
    manifest: Manifest
    sent_bytes: int


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, ledger: Ledger, run_id: str, clock: Clock) -> None:
        self._ledger = ledger
        self._blobs = Blobs(ledger.objects, clock)
        self._paths = RunPaths(run_id)
        self._clock = clock

    def commit(
        self,
        path: Path,
        *,
        name: str,
        attempt: int,
        seq: int,
        summary: Summary,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Committed:
        """Store a checkpoint that is whole; raise CheckpointChanged if it is written meanwhile."""
        signature = sign(path)
        files, sent_bytes = [], 0
        for file in files_under(path):
            stored = store_file(self._blobs, path / file, file or path.name, is_cancelled)
            files.append(stored.file)
            sent_bytes += stored.sent_bytes
        if sign(path) != signature:
            raise CheckpointChanged(f"{name} was written while it was read")
        manifest = self._manifest(path, name, attempt, seq, tuple(files), signature, summary)
        return Committed(self._publish(manifest), sent_bytes)

    def _publish(self, manifest: Manifest) -> Manifest:
        """Write the manifest; one there that differs in its time alone is our own of before."""
        try:
            self._ledger.create(manifest.key, seal(manifest))
        except ObjectExists:
            found = self.read(manifest.key)
            if replace(manifest, committed_at=found.committed_at) != found:
                raise
            return found
        return manifest

    def keys(self) -> list[str]:
        """Return the keys of the manifests that count, oldest first."""
        return counted_manifests(self._ledger, self._paths.run_id)

    def attempt_keys(self, attempt: int) -> list[str]:
        """Return the keys of one attempt's manifests, oldest first."""
        return self._ledger.manifest_keys(self._paths.run_id, attempt)

    def read(self, key: str) -> Manifest:
        """Return a manifest that is what it says, or raise IntegrityError."""
        sealed = self._ledger.read(key, SealedManifest)
        manifest = sealed.manifest
        if digest(manifest) != sealed.sha256:
            raise IntegrityError(f"manifest {key} does not match its own digest", key=key)
        if manifest.key != key or manifest.run_id != self._paths.run_id:
            raise IntegrityError(f"manifest {key} was written as {manifest.key}", key=key)
        _check_names(manifest)
        return manifest

    def verify(self, manifest: Manifest, *, deep: bool) -> None:
        """Raise IntegrityError unless every part is there; ``deep`` reads and hashes them all."""
        for file in manifest.files:
            for part in file.parts:
                if deep:
                    self._blobs.get(part)
                else:
                    self._blobs.check_present(part)

    def fetch(self, manifest: Manifest, folder: Path) -> Path:
        """Bring a checkpoint into ``folder``, verified, whole or not at all; return its path."""
        target = folder / check_relative(unescape_name(manifest.name).rpartition("/")[2])
        temporary = folder / f".{target.name}.part"
        _remove(temporary)
        (temporary if manifest.is_folder else folder).mkdir(parents=True, exist_ok=True)
        for file in manifest.files:
            place = temporary / file_name(file) if manifest.is_folder else temporary
            fetch_file(self._blobs, file, place)
        _remove(target)
        os.replace(temporary, target)
        return target

    def discard(self, key: str) -> None:
        """Un-commit: without its manifest a checkpoint no longer exists."""
        self._ledger.objects.delete(key)

    def _manifest(
        self,
        path: Path,
        name: str,
        attempt: int,
        seq: int,
        files: tuple[CheckpointFile, ...],
        signature: Signature,
        summary: Summary,
    ) -> Manifest:
        newest_ns = max((entry[2] for entry in signature), default=0)
        return Manifest(
            key=self._paths.manifest(attempt, seq),
            run_id=self._paths.run_id,
            attempt=attempt,
            seq=seq,
            name=escape_name(name),
            is_folder=path.is_dir(),
            files=files,
            written_ns=newest_ns,
            committed_at=self._clock(),
            summary=summary,
        )


def _check_names(manifest: Manifest) -> None:
    """Raise IntegrityError unless the files can stand in one folder, none in another's place."""
    names = {file_name(file) for file in manifest.files}
    parents = {parent for name in names for parent in map(str, PurePosixPath(name).parents)}
    is_one_each = len(names) == len(manifest.files) and not names & parents
    if not is_one_each or (not manifest.is_folder and len(names) != 1):
        raise IntegrityError(f"the files of manifest {manifest.key} contradict each other")


def digest(manifest: Manifest) -> str:
    return hashlib.sha256(encode(manifest)).hexdigest()


def seal(manifest: Manifest) -> SealedManifest:
    """Add the digest of what a reader will find: the types are those of the record."""
    manifest = decode(encode(manifest), Manifest, key=manifest.key)
    return SealedManifest(manifest=manifest, sha256=digest(manifest))


def label_of(key: str) -> str:
    """Return how users name the checkpoint of this key: attempt/seq."""
    attempt, seq = key.split("/")[-3:-1]
    return f"{int(attempt)}/{int(seq)}"


@dataclass(frozen=True)
class Choice:
    """The newest checkpoint that verifies, and why newer ones were passed over."""

    manifest: Manifest | None
    path: Path | None
    passed_over: dict[str, str]


def fetch_newest(checkpoints: Checkpoints, folder: Path) -> Choice:
    """Bring the newest checkpoint that verifies into ``folder``, falling back past bad ones."""
    passed_over: dict[str, str] = {}
    for key in reversed(checkpoints.keys()):
        try:
            manifest = checkpoints.read(key)
            return Choice(manifest, checkpoints.fetch(manifest, folder), passed_over)
        except (IntegrityError, ObjectMissing) as error:
            passed_over[key] = error.message
    return Choice(None, None, passed_over)


def find(checkpoints: Checkpoints, wanted: str) -> str:
    """Return the key of a checkpoint by label ``attempt/seq``, by step, by name, or ``latest``."""
    keys = checkpoints.keys()
    if wanted == "latest" and keys:
        return keys[-1]
    for key in reversed(keys):
        if wanted in (key, label_of(key)):
            return key
    named = [key for key in keys if _answers(checkpoints, key, wanted)]
    if not named:
        raise CheckpointNotFound(f"no committed checkpoint answers to {wanted!r}")
    return named[-1]


def _answers(checkpoints: Checkpoints, key: str, wanted: str) -> bool:
    try:
        manifest = checkpoints.read(key)
    except (IntegrityError, ObjectMissing):
        return False
    names = (manifest.name, unescape_name(manifest.name))
    return wanted in (*names, f"step={manifest.summary.step}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
