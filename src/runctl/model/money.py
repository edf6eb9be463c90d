"""US dollars: what an instance has cost, and money that was spent as people read it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from runctl.model.instance import Instance, InstanceState

_LEAST_TIME = timedelta(minutes=1)  # each start of an instance costs a minute at least
_CENT, _LEAST, _FINEST = Decimal("0.01"), Decimal("0.0001"), Decimal("0.000001")
_COSTS = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


def cost_of(instance: Instance, now: datetime) -> Decimal | None:
    """Return what the instance has cost since it was started last, in USD; None is unknown.

    That is its price when it was launched, times the time; disks and traffic are not in it.
    """
    until = now if instance.state in _COSTS else instance.halted_at
    if instance.usd_per_hour is None or instance.launched_at is None or until is None:
        return None
    took = max(until - instance.launched_at, _LEAST_TIME)
    cost = instance.usd_per_hour * Decimal(took // timedelta(seconds=1)) / Decimal(3600)
    return cost.quantize(_FINEST, ROUND_HALF_UP)


def price_of(usd_per_hour: Decimal | None, seconds: float) -> Decimal | None:
    """Return the price of so long, in USD; None is unknown."""
    if usd_per_hour is None:
        return None
    cost = usd_per_hour * Decimal(round(seconds, 1)) / Decimal(3600)
    return cost.quantize(_FINEST, ROUND_HALF_UP)


def rate_of(instance: Instance) -> Decimal | None:
    """Return what the instance costs an hour now, in USD: nothing unless it is up."""
    return instance.usd_per_hour if instance.state in _COSTS else Decimal(0)


def format_cost(amount: Decimal) -> str:
    """``$12.40``, ``$0.31``; below a cent to four digits, and what is less is said to be."""
    if 0 < amount < _LEAST:
        return f"under ${_LEAST}"
    digits = _CENT if amount >= _CENT or not amount else _LEAST
    return f"${amount.quantize(digits, ROUND_HALF_UP):,f}"
