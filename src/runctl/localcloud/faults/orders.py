"""What a fault is: what it is to do, to whom, and how often."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

KIND = "fault"
Effect = Literal[
    "capacity", "delay", "deny", "disk", "error", "freeze", "hide", "kill", "network", "reset",
    "throttle", "truncate",
]  # fmt: skip
Market = Literal["spot", "on-demand"]
MACHINE_EFFECTS = ("network", "freeze", "disk", "kill")
"""Done to an instance at once, and undone when the fault is cleared, or over."""


class OrderRefused(Exception):
    """An order that does not make sense, or not now; its words say why."""

    def __init__(self, words: str, code: str = "fault-refused") -> None:
        super().__init__(words)
        self.code = code


class Order(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A fault that somebody asks for. What selects calls is a pattern, where it is no id."""

    effect: Effect
    service: str | None = None
    operation: str | None = None
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    market: Market | None = None
    instance: str | None = None
    bucket: str | None = None
    key: str | None = None
    code: str | None = None
    message: str | None = None
    status: int | None = None
    delay_s: float | None = None
    """How long a call is delayed, or how long a new thing is hidden."""
    rate: float | None = None
    """Calls a second that are let through."""
    bytes: int | None = None
    """Of a body, before it is cut off."""
    after: int = 0
    """So many calls that match are left alone first."""
    count: int | None = None
    """And then so many are hit; None for all."""
    for_s: float | None = None
    """After which it is over; None for never."""


class Fault(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A fault that is there."""

    id: str
    order: Order
    made: float
    until: float | None = None
    seen: int = 0
    """Calls that matched."""
    hits: int = 0
    """Calls in which it had an effect."""
    state: Literal["in-force", "ending", "over"] = "in-force"
    problem: str | None = None
    """Why it could not be done, in the system's own words."""

    def is_in_force(self, now: float) -> bool:
        """Whether it may have an effect now."""
        return self.state == "in-force" and (self.until is None or now < self.until)

    def counts(self) -> bool:
        """Count a call that matches; return whether this one is hit."""
        self.seen += 1
        count = self.order.count
        if self.seen <= self.order.after or (count is not None and self.hits >= count):
            return False
        self.hits += 1
        return True

    @property
    def is_spent(self) -> bool:
        """Whether it has hit as many calls as it was to."""
        return self.order.count is not None and self.hits >= self.order.count


_OF_CALLS = {"service", "operation", "region", "bucket", "key"}
_TAKES: dict[str, set[str]] = {
    "capacity": {"region", "zone", "instance_type", "market", "code", "message"},
    "delay": {*_OF_CALLS, "delay_s"},
    "deny": {*_OF_CALLS},
    "disk": {"instance"},
    "error": {*_OF_CALLS, "code", "message", "status"},
    "freeze": {"instance"},
    "hide": {"operation", "region", "delay_s"},
    "kill": {"instance"},
    "network": {"instance"},
    "reset": {*_OF_CALLS},
    "throttle": {*_OF_CALLS, "rate"},
    "truncate": {"operation", "bucket", "key", "bytes"},
}
_NEEDS: dict[str, set[str]] = {
    "delay": {"delay_s"},
    "disk": {"instance"},
    "error": {"code"},
    "freeze": {"instance"},
    "hide": {"delay_s"},
    "kill": {"instance"},
    "network": {"instance"},
}
_EVERYWHERE = {"effect", "after", "count", "for_s"}
CAPACITY_CODES = (
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InstanceLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
    "VcpuLimitExceeded",
)


def check_order(order: Order) -> None:
    """Raise ``OrderRefused`` for an order that does not make sense."""
    given = {name for name in order.__struct_fields__ if getattr(order, name) not in (None, 0)}
    strange = sorted(given - _TAKES[order.effect] - _EVERYWHERE)
    if strange:
        raise OrderRefused(f"a fault of the effect {order.effect} takes no {_word(strange[0])}")
    missing = sorted(
        name for name in _NEEDS.get(order.effect, set()) if getattr(order, name) is None
    )
    if missing:
        raise OrderRefused(f"a fault of the effect {order.effect} needs its {_word(missing[0])}")
    _check_numbers(order)
    if order.effect == "capacity" and (order.code or CAPACITY_CODES[0]) not in CAPACITY_CODES:
        raise OrderRefused(f"the code is none of {', '.join(CAPACITY_CODES)}")


def _check_numbers(order: Order) -> None:
    if order.after < 0 or (order.count is not None and order.count < 1):
        raise OrderRefused("after is at least 0, and count at least 1")
    if order.effect in MACHINE_EFFECTS and (order.after or order.count is not None):
        raise OrderRefused(f"a fault of the effect {order.effect} counts no calls")
    if order.effect == "kill" and order.for_s is not None:
        raise OrderRefused("a fault of the effect kill has no end: what is killed stays so")
    for name in ("delay_s", "rate", "for_s"):
        value = getattr(order, name)
        if value is not None and not 0 < value < 10**8:
            raise OrderRefused(f"the {_word(name)} must be above 0")
    if order.status is not None and not 400 <= order.status <= 599:
        raise OrderRefused("the status of an error is of 400 to 599")


def _word(name: str) -> str:
    """Return the name of a field in words."""
    return {"for_s": "end"}.get(name, name.removesuffix("_s").replace("_", " "))


def matches(pattern: str | None, text: str) -> bool:
    """Tell whether a text is as the pattern says; None fits all."""
    return pattern is None or fnmatchcase(text, pattern)
