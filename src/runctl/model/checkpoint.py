"""A committed checkpoint: its files, their parts, and what is known of its content."""

from __future__ import annotations

from datetime import UTC, datetime

from runctl.model.codec import Record, Value


class Part(Value, frozen=True, kw_only=True):
    """A run of bytes, at most 16 MiB, stored as ``blobs/<sha256>``."""

    sha256: str
    size_bytes: int


class CheckpointFile(Value, frozen=True, kw_only=True):
    """One file, as its parts in order. ``path`` is escaped and relative to the checkpoint."""

    path: str
    mode: int
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)


class Summary(Value, frozen=True, kw_only=True):
    """What the checkpoint says of itself, read without executing any of it."""

    format: str
    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    metrics: dict[str, float] = {}
    parameter_count: int | None = None


class Manifest(Record, frozen=True, kw_only=True):
    """The commit record. A checkpoint exists only once this is in the ledger.

    ``key`` is the manifest's own key, so that a copy under another name is not believed.
    ``name`` is the file or folder that the script wrote; ``is_folder`` tells which.
    """

    key: str
    run_id: str
    attempt: int
    seq: int
    name: str
    is_folder: bool
    files: tuple[CheckpointFile, ...]
    written_ns: int  # the newest modification time among its files, in ns since 1970
    committed_at: datetime
    summary: Summary

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(self.written_ns / 1e9, UTC)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def label(self) -> str:
        """How users name it: attempt/seq."""
        return f"{self.attempt}/{self.seq}"


class SealedManifest(Record, frozen=True, kw_only=True):
    """A manifest with the SHA-256 of its canonical encoding: a flipped bit is seen."""

    manifest: Manifest
    sha256: str
