"""Warns while there is time: of a training that saves too rarely, or too slowly for its notice."""

from __future__ import annotations

import time
from datetime import timedelta

from runctl.agent.journal import Journal
from runctl.model.events import CheckpointCommitted, Warned
from runctl.model.quantities import format_duration

LOOK_S = 5.0
LONG = timedelta(minutes=30)
STORING_TIME = timedelta(seconds=50)
"""What a notice of two minutes leaves for storing, once the script has had its half."""


class SavingAlarm:
    """Looks at what was committed; each warning comes once an attempt."""

    def __init__(self, journal: Journal, *, is_spot: bool) -> None:
        self._journal = journal
        self._is_spot = is_spot
        self._since = self._look_at = time.monotonic()
        self._count = 0

    def look(self) -> None:
        """Look, if it is time to."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        bodies = self._journal.bodies
        told = {body.code for body in bodies if isinstance(body, Warned)}
        committed = [body for body in bodies if isinstance(body, CheckpointCommitted)]
        if len(committed) > self._count:
            self._count, self._since = len(committed), now
        self._look_for_rareness(now, told)
        if self._is_spot and committed:
            self._look_for_slowness(committed[-1], told)

    def _look_for_rareness(self, now: float, told: set[str]) -> None:
        if now - self._since < LONG.total_seconds() or "rare-checkpoints" in told:
            return
        message = f"no checkpoint for {format_duration(LONG)}: all since would be done again"
        self._journal.append(Warned(code="rare-checkpoints", message=message))

    def _look_for_slowness(self, last: CheckpointCommitted, told: set[str]) -> None:
        if last.lag_seconds <= STORING_TIME.total_seconds() or "slow-checkpoints" in told:
            return
        message = (
            f"{last.name} was safe only {last.lag_seconds:.0f} s after it was written: "
            "where the instance is taken back, such a one is lost"
        )
        self._journal.append(Warned(code="slow-checkpoints", message=message))
