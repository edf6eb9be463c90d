"""Ends a command that hangs: one that has neither printed nor saved for as long as was allowed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause, Trouble
from runctl.model.quantities import format_duration

LOOK_S = 1.0
ABORT = "SIGABRT"
"""What lets Python's faulthandler print the stacks of all threads, and ends the process."""

Dump = Callable[[], str | None]
"""Writes the stacks into the log; returns what wrote them, None where nothing could."""


class HangWatch:
    """Looks at the log and at the folders of checkpoints; ``timeout`` of None never ends.

    An agent that comes back begins to count anew: it has not seen what was before it.
    """

    def __init__(
        self,
        timeout: timedelta | None,
        output: Path,
        folders: Sequence[Path],
        orders: Orders,
        dump: Dump,
    ) -> None:
        self._timeout = timeout
        self._output = output
        self._folders = folders
        self._orders = orders
        self._dump = dump
        self._since = self._look_at = time.monotonic()
        self._seen: tuple[int, int] | None = None

    def look(self) -> None:
        """Look, if it is time to; give the order to end when it has hung too long."""
        now = time.monotonic()
        if self._timeout is None or now < self._look_at or self._orders.is_given():
            return
        self._look_at = now + LOOK_S
        seen = (_size(self._output), max(_times(self._folders), default=0))
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif now - self._since >= self._timeout.total_seconds():
            self._end(self._timeout)

    def _end(self, timeout: timedelta) -> None:
        reason = f"there was no output and no checkpoint for {format_duration(timeout)}"
        tool = self._dump()
        told = f"{reason}; where it stood is at the log's end, by {tool or 'faulthandler'}"
        signal = None if tool else ABORT
        self._orders.give(Order(Cause.TROUBLE, told, trouble=Trouble.HANG, signal=signal))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _times(folders: Sequence[Path]) -> Iterator[int]:
    """Yield when each file was written, in nanoseconds; one that goes meanwhile is left out."""
    for folder in folders:
        for above, _, names in os.walk(folder):
            for name in names:
                try:
                    yield os.lstat(os.path.join(above, name)).st_mtime_ns
                except FileNotFoundError:
                    continue
