"""Orders to end the command early, from whoever gives them: a user, a limit, the machine."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from runctl.model.events import Cause, Trouble


@dataclass(frozen=True)
class Order:
    """``is_now``: SIGKILL at once, without a signal before it and grace.

    ``deadline``: by when all has to be stored, in seconds of the monotonic clock.
    ``trouble``: what was wrong with the command, where it is ended for that.
    ``signal``: sent to all of it, in place of the one that asks the script to save and end.
    """

    cause: Cause
    reason: str
    is_now: bool = False
    deadline: float | None = None
    trouble: Trouble | None = None
    signal: str | None = None


class Orders:
    """The first order stands; a later one can only make it more urgent. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order: Order | None = None

    @property
    def current(self) -> Order | None:
        return self._order

    def give(self, order: Order) -> None:
        with self._lock:
            if self._order is None:
                self._order = order
            else:
                self._order = _pressed(self._order, order)

    def is_given(self) -> bool:
        return self._order is not None

    def is_superseded(self) -> bool:
        """Whether another attempt has been claimed: what this one makes counts no more."""
        return self._order is not None and self._order.cause is Cause.SUPERSEDED

    def is_cut_off(self) -> bool:
        """Whether nothing more is to be stored."""
        left_s = self.left_s()
        return self.is_superseded() or (left_s is not None and left_s <= 0)

    def left_s(self) -> float | None:
        """Return for how long the instance is there; None if nobody takes it back."""
        order = self._order
        if order is None or order.deadline is None:
            return None
        return order.deadline - time.monotonic()


def _pressed(first: Order, later: Order) -> Order:
    """Return the first order, as urgent as the later one."""
    deadlines = [each.deadline for each in (first, later) if each.deadline is not None]
    is_now = first.is_now or later.is_now
    return replace(first, is_now=is_now, deadline=min(deadlines, default=None))
