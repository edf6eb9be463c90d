"""What a run leaves behind: the files of RUNCTL_OUTPUT_DIR, verified like checkpoints."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from runctl.errors import ConflictError, ObjectExists, ObjectMissing, UnsafePath
from runctl.model.checkpoint import CheckpointFile
from runctl.model.codec import Record
from runctl.model.paths import RunPaths
from runctl.store.blobs import Blobs
from runctl.store.files import (
    fetch_file,
    file_name,
    files_under,
    is_same_file,
    store_file,
)
from runctl.store.ledger import Ledger


class Outputs(Record, frozen=True, kw_only=True):
    """The outputs of one attempt; written last, when all parts are in the store."""

    files: tuple[CheckpointFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def store_outputs(
    ledger: Ledger,
    blobs: Blobs,
    run_id: str,
    attempt: int,
    folder: Path,
    on_escape: Callable[[UnsafePath], None] | None = None,
) -> Outputs:
    """Store all files under ``folder``; what was stored first stands, and is returned.

    A link that leads out, or a file that cannot be read, raises UnsafePath, or is passed over
    where ``on_escape`` hears of it: it would be no better at the next try.
    """
    names = sorted(files_under(folder, on_escape)) if folder.is_dir() else []
    readable = [name for name in names if _is_readable(folder / name, on_escape)]
    files = tuple(store_file(blobs, folder / name, name).file for name in readable)
    outputs = Outputs(files=files)
    try:
        ledger.create(RunPaths(run_id).outputs(attempt), outputs)
    except ObjectExists:
        return ledger.read(RunPaths(run_id).outputs(attempt), Outputs)
    return outputs


def _is_readable(path: Path, on_escape: Callable[[UnsafePath], None] | None) -> bool:
    if os.access(path, os.R_OK):
        return True
    error = UnsafePath(f"{path} cannot be read", path=str(path))
    if on_escape is None:
        raise error
    on_escape(error)
    return False


def read_outputs(ledger: Ledger, run_id: str, attempt: int) -> Outputs | None:
    try:
        return ledger.read(RunPaths(run_id).outputs(attempt), Outputs)
    except ObjectMissing:
        return None


def fetch_outputs(blobs: Blobs, outputs: Outputs, folder: Path) -> list[Path]:
    """Write the outputs into a folder, each part verified; return their paths."""
    paths = [folder / file_name(file) for file in outputs.files]
    missing = [
        (file, path)
        for file, path in zip(outputs.files, paths, strict=True)
        if not is_there(file, path)
    ]
    for file, path in missing:
        _fetch(blobs, file, path)
    return paths


def _fetch(blobs: Blobs, file: CheckpointFile, path: Path) -> None:
    """Write one file under a name of its own, and give it its name once it is whole."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        fetch_file(blobs, file, temporary)
        _move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _move(temporary: Path, path: Path) -> None:
    """Give a file its name, unless something else has taken it meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise _is_taken(path) from error
    except OSError:  # a file system without hard links
        temporary.rename(path)


def is_there(file: CheckpointFile, path: Path) -> bool:
    """Tell whether the very file is there already, or raise ConflictError if another one is."""
    if not path.is_symlink() and not path.exists():
        return False
    if path.is_file() and not path.is_symlink() and is_same_file(file, path):
        return True
    raise _is_taken(path)


def _is_taken(path: Path) -> ConflictError:
    return ConflictError(
        f"{path} is there already, and is something else",
        hint="runctl pull RUN --into ANOTHER-FOLDER",
        path=str(path),
    )
