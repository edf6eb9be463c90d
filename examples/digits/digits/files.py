"""Where files go, and how they get there whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from digits.options import ResumeError


def checkpoint_folder() -> Path:
    """Give the folder runctl watches, or ./checkpoints when the script runs bare."""
    return Path(os.environ.get("RUNCTL_CHECKPOINT_DIR") or "checkpoints")


def output_folder() -> Path:
    """Give the folder runctl collects at the end, or ./outputs when the script runs bare."""
    return Path(os.environ.get("RUNCTL_OUTPUT_DIR") or "outputs")


def find_checkpoint(suffix: str) -> Path | None:
    """Give the checkpoint that RUNCTL_RESUME_FROM names: a file, or the newest in a folder.

    None when the variable is unset. Raises `ResumeError` when it names nothing that exists.
    """
    named = os.environ.get("RUNCTL_RESUME_FROM")
    if not named:
        return None
    path = Path(named)
    if path.is_file():
        return path
    found = [p for p in path.rglob(f"step-*{suffix}") if p.stem[5:].isdecimal()]
    if not found:
        raise ResumeError(f"RUNCTL_RESUME_FROM names {named}, where no step-*{suffix} is found")
    return max(found, key=lambda p: int(p.stem[5:]))


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill `path` so that nobody, not even after a power cut, sees it half written.

    The bytes go to a hidden file beside it, which takes the final name once they are on disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # a full disk is not helped by half a checkpoint
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on disk, not only the bytes behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
