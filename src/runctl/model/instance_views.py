"""What the client answers about instances."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

from runctl.model.codec import Value
from runctl.model.instance import Instance, Volume
from runctl.model.run import State


class Goal(enum.StrEnum):
    """What is waited for. READY: it runs, and answers a command."""

    RUNNING = "running"
    READY = "ready"
    STOPPED = "stopped"
    TERMINATED = "terminated"


class ListedInstance(Instance, frozen=True, kw_only=True):
    """An instance in a list. ``cost_usd``: since it was started last; None is unknown, never 0."""

    cost_usd: Decimal | None


class RunOnInstance(Value, frozen=True, kw_only=True):
    """A run as one asks for it before its instance is ended; the last checkpoint is committed."""

    run_id: str
    name: str
    state: State
    created_at: datetime
    last_checkpoint: str | None = None
    last_step: int | None = None


class Flush(Value, frozen=True, kw_only=True):
    """A run that was asked to save its work. ``problem`` says why it could not be made sure of."""

    run: RunOnInstance
    problem: str | None = None


class InstancePlan(Value, frozen=True, kw_only=True):
    """What a change would meet: ``runs`` are active on the instance, ``volumes`` would stay.

    ``runs_problem`` says why the runs are not known. What is None is not known: never 0, or none.
    """

    instance: Instance
    cost_usd: Decimal | None
    runs: tuple[RunOnInstance, ...] = ()
    runs_problem: str | None = None
    volumes: tuple[Volume, ...] | None = ()


class Failure(Value, frozen=True, kw_only=True):
    """An error as it stands in a result."""

    code: str
    exit_code: int
    message: str
    hint: str | None


class InstanceReport(Value, frozen=True, kw_only=True):
    """What became of one instance. ``was_so``: there was nothing to do.

    ``runs_problem`` says why it is not known which runs should have been flushed; ``volumes``
    stay, and are None where that is not known.
    """

    instance: Instance
    was_so: bool
    cost_usd: Decimal | None
    flushes: tuple[Flush, ...] = ()
    runs_problem: str | None = None
    volumes: tuple[Volume, ...] | None = ()
    failure: Failure | None = None


class Contact(Value, frozen=True, kw_only=True):
    """How an instance is reached, and who commands run as; ``problem`` says why none do."""

    transport: str | None = None
    login: str | None = None
    problem: str | None = None


class InstanceDetail(Value, frozen=True, kw_only=True):
    """All of one instance. ``volumes`` are those attached; None is not known.

    ``runs_problem`` says why the runs are not known.
    """

    instance: Instance
    cost_usd: Decimal | None
    volumes: tuple[Volume, ...] | None
    contact: Contact
    runs: tuple[RunOnInstance, ...]
    earlier_runs: tuple[RunOnInstance, ...]
    runs_problem: str | None
