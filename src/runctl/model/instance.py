"""Machines: what can be rented, and what is."""

from __future__ import annotations

import enum
from decimal import Decimal

from runctl.model.codec import Value


class InstanceState(enum.StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"
    TERMINATED = "terminated"


class Offer(Value, frozen=True, kw_only=True):
    """A rentable type at a place, with its price; None is unknown, never 0."""

    provider: str
    type: str
    place: str
    usd_per_hour: Decimal | None
    cpus: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()


class Instance(Value, frozen=True, kw_only=True):
    """A machine that a provider knows. ``is_ours``: it bears our owner tag."""

    provider: str
    instance_id: str
    type: str
    state: InstanceState
    is_ours: bool
