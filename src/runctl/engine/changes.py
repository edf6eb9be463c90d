"""What has changed in a project since its last run, by the code that the ledger holds of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from runctl.engine.session import Session
from runctl.errors import IntegrityError, ObjectMissing, RunNotFound
from runctl.model.codec import escape_name
from runctl.model.spec import Spec
from runctl.model.travel import Changes
from runctl.project import Selected, Selection
from runctl.store.blobs import Blobs
from runctl.store.snapshot import (
    Entry,
    FileEntry,
    LinkEntry,
    Remembered,
    load_memory,
    read_leaves,
    stamp_of,
)

LOOKED_THROUGH = 30
"""Runs, the newest first: in a ledger that many share, the last one here may be far back."""


def changes_since_last(
    session: Session, selection: Selection
) -> tuple[Changes | None, tuple[str, ...]]:
    """Compare with the last run of the same folder; None without one, or where it is damaged.

    Also returns notes: why there is nothing to compare with.
    """
    spec = next(specs_of(session, selection.root), None)
    if spec is None:
        return None, ()
    blobs = Blobs(session.ledger.objects, session.clock)
    try:
        before = read_leaves(blobs, spec.code.record)
    except (IntegrityError, ObjectMissing) as error:
        return None, (f"what has changed since run {spec.name} is not known: {error.message}",)
    known = load_memory(memory_place(session, selection.root)).files
    return _compare(spec, before, selection, known), ()


def specs_of(session: Session, root: Path, limit: int = LOOKED_THROUGH) -> Iterator[Spec]:
    """Yield the specs of the runs whose code came from this folder, newest first.

    ``limit``: how many runs of the ledger are looked through, whosever they are.
    """
    name = escape_name(str(root))
    for run_id in islice(session.ledger.run_ids(), limit):
        try:
            spec = session.ledger.spec(run_id)
        except (RunNotFound, IntegrityError):
            continue  # being removed, or damaged: runctl runs tells of it
        if spec.code.root == name:
            yield spec


def _compare(
    spec: Spec, before: dict[str, Entry], selection: Selection, known: Mapping[str, Remembered]
) -> Changes:
    now = {one.path: one for one in selection.entries}
    root = selection.root
    return Changes(
        run_id=spec.run_id,
        name=spec.name,
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(
            path
            for path in sorted(now.keys() & before.keys())
            if not _is_same(root, now[path], before[path], known)
        ),
        removed=tuple(sorted(before.keys() - now.keys())),
    )


def _is_same(root: Path, now: Selected, before: Entry, known: Mapping[str, Remembered]) -> bool:
    if isinstance(before, LinkEntry):
        return now.kind == "link" and escape_name(now.target or "") == before.target
    if not isinstance(before, FileEntry):
        return now.kind == "folder" and now.mode == before.mode
    if (now.kind, now.mode, now.size_bytes) != ("file", before.mode, before.size_bytes):
        return False
    return digest_now(root, now.path, known.get(escape_name(now.path))) == before.sha256


def digest_now(root: Path, path: str, known: Remembered | None) -> str | None:
    """The digest of a file; None where it cannot be read, which a launch would refuse.

    One that the last launch has read, and that has not changed since, is not read again.
    """
    full = os.path.join(root, path)
    try:
        if known is not None and known.is_still(stamp_of(os.lstat(full))):
            return known.sha256
        with open(full, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def memory_place(session: Session, root: Path) -> Path:
    """Return where this machine keeps what it knows of the project's bytes in this store."""
    named = f"{root}\0{session.ledger.objects.url}"
    return session.cache_dir / "code" / hashlib.sha256(os.fsencode(named)).hexdigest()[:32]
