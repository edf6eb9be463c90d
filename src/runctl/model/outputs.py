"""What a run has written where it runs, before any of it is stored."""

from __future__ import annotations

from runctl.model.codec import Record


class SoFar(Record, frozen=True, kw_only=True):
    """The outputs there are; ``first`` has some of them by name, escaped, with their sizes."""

    count: int
    total_bytes: int
    first: dict[str, int]
