"""Local clouds as the client sees them: how one stands, its faults, what happened in it."""

from __future__ import annotations

from typing import Any

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of a cloud; what a newer one says beyond these fields is passed over."""


class CloudStarted(Document, frozen=True, kw_only=True):
    """A local cloud that answers."""

    name: str
    address: str
    tier: str
    pid: int
    is_already_running: bool


class CloudTier(Document, frozen=True, kw_only=True):
    """How instances are made, why so, and what they have and lack."""

    name: str
    reason: str
    features: tuple[str, ...]
    lacks: tuple[str, ...]


class CloudStatus(Document, frozen=True, kw_only=True):
    """How a local cloud stands."""

    name: str = ""
    address: str
    folder: str
    account: str
    version: str
    pid: int
    uptime_s: float
    memory_bytes: int
    tier: CloudTier
    instances: dict[str, int]
    """How many are in which state."""
    counts: dict[str, int]
    """How many there are of other things."""
    faults: int
    """How many are in force."""

    @property
    def running(self) -> int:
        """How many instances run, or are about to."""
        return sum(self.instances.get(state, 0) for state in ("pending", "running", "stopping"))


class CloudKeys(Document, frozen=True, kw_only=True):
    """How programs reach a local cloud: throw-away credentials of its account's root."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str


class CloudEvent(Document, frozen=True, kw_only=True):
    """Something that happened in a local cloud; ``time`` is in seconds since 1970."""

    time: float
    event: str
    details: dict[str, Any] = {}


class CloudEvents(Document, frozen=True, kw_only=True):
    """Some events, and where the next ones begin."""

    events: tuple[dict[str, Any], ...]
    cursor: str


class Interruption(Document, frozen=True, kw_only=True):
    """The notice that an instance was given; ``time`` (seconds since 1970) is its end."""

    instance: str
    region: str
    action: str
    time: float | None = None


class FaultOrder(Document, frozen=True, kw_only=True):
    """A fault that is asked for. What selects calls is a pattern with ``*`` and ``?``."""

    effect: str
    service: str | None = None
    operation: str | None = None
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    market: str | None = None
    instance: str | None = None
    bucket: str | None = None
    key: str | None = None
    code: str | None = None
    message: str | None = None
    status: int | None = None
    delay_s: float | None = None
    rate: float | None = None
    bytes: int | None = None
    after: int = 0
    count: int | None = None
    for_s: float | None = None


class CloudFault(FaultOrder, frozen=True, kw_only=True):
    """A fault that is there: what was asked for, and how it stands."""

    id: str
    state: str
    seen: int
    hits: int
    made: float
    until: float | None = None
    problem: str | None = None


class CloudEnd(Document, frozen=True, kw_only=True):
    """What the end of a local cloud has left, or has taken with it."""

    name: str
    folder: str
    was_running: bool
    is_purged: bool
    instances: int
    """That go on, or were destroyed; of a cloud that did not run, those with a disk."""
