"""Ends a command whose loss is no number, where that is asked for: ``--fail-on nan``."""

from __future__ import annotations

import time
from pathlib import Path

from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause, Trouble
from runctl.model.progress import TAIL_BYTES, find_nan

LOOK_S = 1.0
READ_BYTES = 4 * 1024**2
"""So much of the log is read at one look."""


class LossWatch:
    """Reads the log as it grows; an agent that comes back goes on near its end."""

    def __init__(self, output: Path, orders: Orders, *, is_on: bool) -> None:
        self._output = output
        self._orders = orders
        self._is_on = is_on
        self._look_at = 0.0
        self._position = max(0, _size(output) - TAIL_BYTES)
        self._rest = b""

    def look(self) -> None:
        """Look, if it is time to; give the order to end where a loss is NaN."""
        now = time.monotonic()
        if not self._is_on or now < self._look_at or self._orders.is_given():
            return
        self._look_at = now + LOOK_S
        line = find_nan(self._new_lines())
        if line is not None:
            reason = f"the loss is not a number any more: {line}"
            self._orders.give(Order(Cause.TROUBLE, reason, trouble=Trouble.NAN))

    def _new_lines(self) -> bytes:
        """Return what was printed since, up to the end of a line, or of a bar that is redrawn."""
        try:
            with self._output.open("rb") as file:
                file.seek(self._position)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return b""
        self._position += len(data)
        text, found, self._rest = (self._rest + data).replace(b"\r", b"\n").rpartition(b"\n")
        self._rest = self._rest[-TAIL_BYTES:]  # what never ends a line is not kept for ever
        return text + found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
