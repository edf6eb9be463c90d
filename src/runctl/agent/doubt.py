"""What the death of a command may have torn, and what proves that it did not.

A command that is killed may die half-way through a checkpoint. A format that every byte is
held to by a checksum tells; so does a name that was given after the last byte was written.
Where neither is there, only a file that was written anew and has the structure of a whole one
is believed: one that was overwritten in place may be half old and half new.
"""

from __future__ import annotations

import os
from pathlib import Path

from runctl.store.files import Signature
from runctl.store.formats import Wholeness, check, inspect_format

CHECKSUMMED = frozenset({"npz", "torch", "zip"})


def find_doubt(path: Path, signature: Signature, *, is_overwritten: bool) -> str | None:
    """Return why a checkpoint written just before a kill cannot be believed; None if it can.

    Reads all of it. Raises FileNotFoundError where it has gone.
    """
    verdict = check(path, deep=True)
    if verdict.wholeness is Wholeness.TORN:
        return verdict.reason
    if _was_renamed(path, signature):
        return None
    if verdict.wholeness is Wholeness.UNKNOWN:
        return verdict.reason
    if is_overwritten and inspect_format(path).name not in CHECKSUMMED:
        return "it was being overwritten, and its format has no checksums"
    return None


def has_grown(before: Signature, after: Signature) -> bool:
    """Tell whether files were only added to, so that nothing of before stands among the new."""
    sizes = {(name, inode): size for name, size, _, inode in before}
    return all(size > sizes.get((name, inode), -1) for name, size, _, inode in after)


def _was_renamed(path: Path, signature: Signature) -> bool:
    """Tell whether each file was given its name after it was written: its inode changed last."""
    files = [os.stat(path / name) for name, *_ in signature]
    return bool(files) and all(status.st_ctime_ns > status.st_mtime_ns for status in files)
