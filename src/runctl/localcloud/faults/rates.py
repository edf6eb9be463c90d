"""How often a throttled call is let through."""

from __future__ import annotations

from threading import Lock

from runctl.localcloud.faults.orders import Fault


class Rates:
    """A bucket of tokens for each fault that has a rate; it begins full, with one second's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def lets_through(self, fault: Fault, now: float) -> bool:
        """Take a token; False where there is none, or where nothing is to pass at all."""
        rate = fault.order.rate
        if rate is None:
            return False
        most = max(1.0, rate)
        with self._lock:
            tokens, since = self._buckets.get(fault.id, (most, now))
            tokens = min(most, tokens + (now - since) * rate)
            is_let = tokens >= 1.0
            self._buckets[fault.id] = (tokens - 1.0 if is_let else tokens, now)
        return is_let
