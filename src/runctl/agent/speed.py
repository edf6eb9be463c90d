"""How fast checkpoints are sent, as far as those that were sent tell."""

from __future__ import annotations

TELLING_BYTES = 1024**2
"""Of what is smaller, the time is that of the requests, whatever its size."""


class Speed:
    """The speed of the last commit that was large enough to tell."""

    def __init__(self) -> None:
        self._bytes_per_s: float | None = None

    def note(self, sent_bytes: int, took_s: float) -> None:
        if sent_bytes >= TELLING_BYTES and took_s > 0:
            self._bytes_per_s = sent_bytes / took_s

    def seconds_for(self, size_bytes: int) -> float | None:
        """Return how long so much takes; None where that is not known."""
        return None if self._bytes_per_s is None else size_bytes / self._bytes_per_s
