"""Orders to end the command early, from whoever gives them: a user, a limit, the machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from runctl.model.events import Cause


@dataclass(frozen=True)
class Order:
    """``is_now``: SIGKILL at once, without SIGTERM and grace."""

    cause: Cause
    reason: str
    is_now: bool = False


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
            elif order.is_now and not self._order.is_now:
                self._order = Order(self._order.cause, self._order.reason, is_now=True)

    def is_given(self) -> bool:
        return self._order is not None
