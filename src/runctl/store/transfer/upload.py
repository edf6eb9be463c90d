"""A file as an object: the bytes that were listed, or none."""

from __future__ import annotations

from collections.abc import Callable

from runctl.errors import ConflictError
from runctl.store.transfer.far import PIECE_BYTES, FarBucket, SourceFile, Stored
from runctl.store.transfer.listing import look


def send(bucket: FarBucket, key: str, file: SourceFile, on_bytes: Callable[[int], None]) -> Stored:
    """Store a file; ConflictError where it was written to meanwhile."""
    if file.size_bytes > PIECE_BYTES:
        return bucket.put_file(key, file, on_bytes)
    data = file.path.read_bytes()
    check_unchanged(file)
    stored = bucket.put(key, data)
    on_bytes(len(data))
    return stored


def check_unchanged(file: SourceFile) -> None:
    """Raise ConflictError where a file is not as it was when it was listed."""
    if look(file.path) != file:
        raise ConflictError(
            f"{file.path} was written to while it was read",
            hint="type the same again once nothing writes to it",
            path=str(file.path),
        )
