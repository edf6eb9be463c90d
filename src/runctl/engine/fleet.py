"""Instances that were named for a change: looked at together, and changed at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from msgspec.structs import asdict, replace

from runctl.engine.naming import find_instance
from runctl.engine.session import Session
from runctl.errors import RefusedError, RunctlError
from runctl.model.instance import GONE, Instance, Volume
from runctl.model.instance_views import Failure, InstanceReport, ListedInstance
from runctl.model.money import cost_of
from runctl.providers.api import Provider, SupportsVolumes

T = TypeVar("T")
R = TypeVar("R")
FLUSH_TIME = timedelta(minutes=2)
_AT_ONCE = 16


@dataclass(frozen=True)
class Leave:
    """What the user allows. ``is_foreign``: those that are not ours are meant as well.

    ``is_forced``: also with a run on it, which is flushed first, in ``flush_time`` at most.
    """

    is_forced: bool = False
    is_foreign: bool = False
    flush_time: timedelta = FLUSH_TIME


def find_all(provider: Provider, references: Sequence[str], leave: Leave) -> list[Instance]:
    """Return the instances, each once; RefusedError for one that is not ours."""
    found = at_once(references, partial(find_instance, provider))
    for one in found:
        if not (one.is_ours or leave.is_foreign):
            raise RefusedError(
                f"{one.instance_id} does not bear your owner tag: it is not ours to change",
                hint="if you mean it, type the same again with --not-mine",
                instance=one.instance_id,
            )
    return list({one.instance_id: one for one in found}.values())


def list_instances(session: Session, provider: Provider) -> list[ListedInstance]:
    """Return our instances with what they have cost, the newest first."""
    now = session.clock()
    found = sorted(provider.find(), key=lambda one: one.launched_at or now, reverse=True)
    return [ListedInstance(**asdict(one), cost_usd=cost_of(one, now)) for one in found]


def kept_volumes(provider: Provider, one: Instance) -> tuple[Volume, ...] | None:
    """Return the volumes that would stay if the instance ended; None where that is not known."""
    if one.state in GONE or not isinstance(provider, SupportsVolumes):
        return ()
    try:
        return tuple(each for each in provider.volumes(one.instance_id) if each.is_kept)
    except RunctlError:
        return None  # whoever may not look at volumes may end what costs more


def at_once(items: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """Do it to all of them at once. Its threads keep nobody who types Ctrl-C."""
    if len(items) <= 1:
        return list(map(work, items))
    from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - concurrent.futures joins at exit

    with ThreadPool(min(_AT_ONCE, len(items))) as pool:
        return pool.map(work, items, chunksize=1)


def carry_out(
    session: Session, provider: Provider, report: InstanceReport, act: Callable[[], object]
) -> InstanceReport:
    """Do it to one, and return the report of how the instance is then described.

    What fails with it is in its report, and stops no other.
    """
    ident = report.instance.instance_id
    try:
        act()
        instance = provider.describe(ident)
    except RunctlError as error:
        failure = Failure(
            code=error.code,
            exit_code=error.exit_code,
            message=error.message,
            hint=error.hint or f"runctl {provider.name} status {ident}",
        )
        return replace(report, failure=failure)
    return replace(report, instance=instance, cost_usd=cost_of(instance, session.clock()))
