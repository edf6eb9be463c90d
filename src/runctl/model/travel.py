"""What travels, told before it does: in the plan of a launch, and in that of a sync."""

from __future__ import annotations

from runctl.model.codec import Value


class TravelRequest(Value, frozen=True, kw_only=True):
    """What is asked of the files: which folder, which patterns, and which paths to explain."""

    project_root: str | None = None
    include: tuple[str, ...] = ()  # patterns beside those of the settings
    exclude: tuple[str, ...] = ()
    explain: tuple[str, ...] = ()  # paths as the user typed them


class Traveller(Value, frozen=True, kw_only=True):
    """One thing that travels; ``kind`` is ``file``, ``link`` or an empty ``folder``."""

    path: str
    kind: str
    size_bytes: int
    reason: str


class Explanation(Value, frozen=True, kw_only=True):
    """Why a file, or a folder with all in it, is in or out."""

    path: str
    is_in: bool
    reason: str


class Changes(Value, frozen=True, kw_only=True):
    """In what the files differ from the code of this project's last run, ``run_id``."""

    run_id: str
    name: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)


class SuspectFile(Value, frozen=True, kw_only=True):
    """A file that looks like a secret: what it seems to hold, and on which line.

    ``line`` is None where the name tells. ``is_tracked``: git carries it too.
    """

    path: str
    what: str
    line: int | None
    is_tracked: bool


class Concerns(Value, frozen=True, kw_only=True):
    """What is to be agreed to before the files are sent.

    ``destination`` is where they would go; None if they stay on this machine.
    """

    destination: str | None
    suspects: tuple[SuspectFile, ...]
    total_bytes: int
    warn_bytes: int

    @property
    def is_large(self) -> bool:
        return self.total_bytes > self.warn_bytes

    @property
    def are_there(self) -> bool:
        return bool(self.suspects) or self.is_large


class KeptCode(Value, frozen=True, kw_only=True):
    """The code of an earlier run, used again as it was sent then."""

    run_id: str
    name: str
    snapshot: str


class TravelPlan(Value, frozen=True, kw_only=True):
    """What would travel from where, and why; paths are relative to ``project_root``.

    ``stays`` names a folder once for all in it. ``changes``: None before the first run.
    """

    project_root: str
    root_reason: str
    file_count: int
    total_bytes: int
    files: tuple[Traveller, ...]
    stays: tuple[Explanation, ...]
    largest: tuple[tuple[str, int], ...]
    explained: tuple[Explanation, ...]
    changes: Changes | None
    concerns: Concerns
    notes: tuple[str, ...]
