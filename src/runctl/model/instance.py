"""Machines: what can be rented, and what is."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

from runctl.model.codec import Value


class InstanceState(enum.StrEnum):
    """ENDING is as good as TERMINATED: there is no way back from it, and it costs nothing."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ENDING = "ending"
    TERMINATED = "terminated"


GONE = frozenset({InstanceState.ENDING, InstanceState.TERMINATED})


class Offer(Value, frozen=True, kw_only=True):
    """A rentable type at a place, with its price; None is unknown, never 0.

    ``on_demand_usd_per_hour`` stands beside the price of a spot offer. ``note`` says what there is
    to know of it, such as why its price is unknown.
    """

    provider: str
    type: str
    place: str
    usd_per_hour: Decimal | None
    cpus: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()
    is_spot: bool = False
    on_demand_usd_per_hour: Decimal | None = None
    note: str | None = None


class Instance(Value, frozen=True, kw_only=True):
    """A machine that a provider knows. ``is_ours``: it bears our owner tag.

    ``run`` is the last one that was started on it. ``launched_at`` is when it was started last,
    ``halted_at`` when it was stopped or ended, where that is told.
    ``usd_per_hour`` is the price when it was launched; None is unknown, never 0.
    """

    provider: str
    instance_id: str
    type: str
    state: InstanceState
    is_ours: bool
    place: str | None = None
    image: str | None = None
    name: str | None = None
    project: str | None = None
    is_spot: bool = False
    launched_at: datetime | None = None
    address: str | None = None
    run: str | None = None
    usd_per_hour: Decimal | None = None
    halted_at: datetime | None = None
    state_reason: str | None = None
    profile: str | None = None
    key_name: str | None = None


class Rental(Value, frozen=True, kw_only=True):
    """What an attempt pays for: its instance, from ``since`` on, as its claim knows it.

    ``ends_with_run``: it was rented for the run, and is to end once that is over.
    ``usd_per_hour`` of None is unknown, never 0.
    """

    type: str
    place: str | None
    is_spot: bool
    usd_per_hour: Decimal | None
    since: datetime
    ends_with_run: bool = False


class Volume(Value, frozen=True, kw_only=True):
    """A disk. ``is_kept``: it stays, and costs, when the instance it is attached to ends.

    ``state`` is in the provider's own words. ``is_ours``: it bears our owner tag;
    ``is_protected``: it is not deleted until that is lifted. ``snapshot``: what it was made of.
    ``usd_per_month`` of None is unknown, never 0.
    """

    provider: str
    volume_id: str
    type: str
    gib: int
    usd_per_month: Decimal | None
    place: str | None = None
    name: str | None = None
    instance_id: str | None = None
    device: str | None = None
    is_kept: bool = True
    state: str | None = None
    is_attached: bool = False
    is_ours: bool = False
    is_protected: bool = False
    snapshot: str | None = None
