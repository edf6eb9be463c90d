"""The instances of one provider, as their user sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from runctl.errors import RunNotFound
from runctl.model.instance import GONE, Instance, Offer, Volume
from runctl.model.instance_views import (
    Goal,
    InstanceDetail,
    InstancePlan,
    InstanceReport,
    ListedInstance,
)
from runctl.model.volume import Snapshot, VolumeAsk
from runctl.model.wish import InstanceWish

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.engine.renting.choosing import Rented
    from runctl.engine.session import Session
    from runctl.model.terms import Ask, Fallback, Tell
    from runctl.providers.api import Provider

FLUSH_TIME = timedelta(minutes=2)


def _say_nothing(_sentence: str) -> None:
    pass


class Instances:
    """What ``Client.instances`` returns. Instances are named by id, and ours by name as well.

    What changes instances looks at all that are named before it touches the first. A run that is
    active on one, or may be, is a RefusedError unless ``is_forced``: then it is asked to save what
    it has, for ``flush_time`` at most. One that is not ours is a RefusedError unless
    ``is_foreign``. What then fails with one instance is in its report.
    """

    def __init__(self, session: Session, provider: Provider) -> None:
        self._session = session
        self._provider = provider

    # -- looking

    def find(self, *, is_all: bool = False, project: str | None = None) -> list[ListedInstance]:
        """Return the instances that bear our owner tag, the newest first.

        ``is_all``: those that are ended, too. ``project``: of this one alone.
        """
        from runctl.engine.fleet import list_instances  # noqa: PLC0415

        found = list_instances(self._session, self._provider)
        return [
            one
            for one in found
            if (is_all or one.state not in GONE) and project in (None, one.project)
        ]

    def spare_volumes(self) -> list[Volume]:
        """Return our volumes that are attached to nothing, and cost all the same."""
        from runctl.providers.api import SupportsVolumes  # noqa: PLC0415

        if not isinstance(self._provider, SupportsVolumes):
            return []
        return list(self._provider.spare_volumes())

    def spare_snapshots(self) -> list[Snapshot]:
        """Return our snapshots of volumes that are gone; they cost all the same."""
        from runctl.engine.volumes import forgotten_snapshots  # noqa: PLC0415

        return forgotten_snapshots(self._provider)

    def status(self, reference: str) -> InstanceDetail:
        """Return all of one instance: how it is reached, its disks, the runs that it has had."""
        from runctl.engine.portrait import draw  # noqa: PLC0415

        return draw(self._session, self._provider, reference)

    def last_run(self, reference: str) -> str:
        """Return the id of the run that was started last on an instance; RunNotFound if none."""
        from runctl.engine.naming import find_instance  # noqa: PLC0415

        found = find_instance(self._provider, reference)
        if found.run is None:
            raise RunNotFound(
                f"no run was started on {found.instance_id}",
                hint=f"runctl aws train {found.instance_id} SCRIPT",
            )
        return found.run

    def wait(
        self, references: Sequence[str], goal: Goal, timeout: timedelta | None = None
    ) -> list[InstanceReport]:
        """Wait until each is what is waited for; READY is one that answers a command.

        A report fails with InstanceLost if it has ended instead, with ConflictError if it is
        stopped and nobody starts it, with TryAgain where only the waiting is over.
        """
        from runctl.engine.power import wait  # noqa: PLC0415

        return wait(self._session, self._provider, references, goal, timeout)

    # -- renting

    def complete(self, wish: InstanceWish) -> InstanceWish:
        """Return the wish with what ``runctl aws setup`` has made, where nothing else is said.

        Raises ConfigError where an instance could not be reached.
        """
        from runctl.engine.renting.creation import complete  # noqa: PLC0415

        return complete(self._provider, wish)

    def offers(self, wish: InstanceWish) -> list[Offer]:
        """Return what can be had now, cheapest first; a price of None is unknown, never 0.

        Raises RefusedError where ``max_cost`` can be kept by none of it.
        """
        from runctl.engine.renting.creation import find_offers  # noqa: PLC0415

        return find_offers(self._provider, wish)

    @contextmanager
    def creation(
        self,
        wish: InstanceWish,
        offers: Sequence[Offer],
        *,
        fallback: Fallback = "none",
        ask: Ask | None = None,
        tell: Tell | None = None,
        volumes: Sequence[VolumeAsk] = (),
    ) -> Iterator[Rented]:
        """Rent the first of the offers that can be had, and let the user know within.

        ``fallback`` is what happens where there is no spot: ``ask`` gets the question, if there is
        somebody to ask. ``tell`` gets a sentence for each offer that cannot be had. Who is killed
        before the end and asks for the very same again gets the same instance. ``volumes`` are
        looked at before: ConflictError where another instance has one.
        """
        from runctl.engine.renting.creation import creation  # noqa: PLC0415
        from runctl.model.terms import Terms  # noqa: PLC0415

        terms = Terms(offers, tell or _say_nothing, fallback, ask)
        with creation(self._session, self._provider, wish, terms, volumes) as rented:
            yield rented

    def create(
        self, wish: InstanceWish, *, fallback: Fallback = "none", tell: Tell | None = None
    ) -> Instance:
        """Rent what is wished for, and return it; ``await_ready`` waits until it answers."""
        whole = self.complete(wish)
        with self.creation(whole, self.offers(whole), fallback=fallback, tell=tell) as rented:
            return rented.instance

    def await_ready(self, instance_id: str, timeout: timedelta) -> Instance:
        """Return an instance once it answers a command.

        Raises InstanceLost if it ended meanwhile, TryAgain where only the waiting has ended.
        """
        from runctl.engine.renting.readiness import await_ready  # noqa: PLC0415

        return await_ready(self._provider, instance_id, timeout)

    # -- changing

    def plan_end(
        self, references: Sequence[str], *, is_forced: bool = False, is_foreign: bool = False
    ) -> list[InstancePlan]:
        """Say what an end would meet; nothing is changed. RefusedError as ``terminate``."""
        from runctl.engine.ending import plan_end  # noqa: PLC0415
        from runctl.engine.fleet import Leave  # noqa: PLC0415

        leave = Leave(is_forced=is_forced, is_foreign=is_foreign)
        return plan_end(self._session, self._provider, references, leave)

    def terminate(
        self,
        references: Sequence[str],
        *,
        is_forced: bool = False,
        is_foreign: bool = False,
        flush_time: timedelta = FLUSH_TIME,
    ) -> list[InstanceReport]:
        """End the instances, and say what has become of their runs and their disks."""
        from runctl.engine.ending import end  # noqa: PLC0415
        from runctl.engine.fleet import Leave  # noqa: PLC0415

        leave = Leave(is_forced=is_forced, is_foreign=is_foreign, flush_time=flush_time)
        return end(self._session, self._provider, references, leave)

    def stop(
        self,
        references: Sequence[str],
        *,
        is_forced: bool = False,
        is_foreign: bool = False,
        flush_time: timedelta = FLUSH_TIME,
        is_waiting: bool = False,
        timeout: timedelta | None = None,
    ) -> list[InstanceReport]:
        """Stop the instances; their disks stay. ConflictError for one that cannot be stopped."""
        from runctl.engine.fleet import Leave  # noqa: PLC0415
        from runctl.engine.power import Patience, stop  # noqa: PLC0415

        leave = Leave(is_forced=is_forced, is_foreign=is_foreign, flush_time=flush_time)
        patience = Patience(is_waiting=is_waiting, timeout=timeout)
        return stop(self._session, self._provider, references, leave, patience)

    def plan_start(self, references: Sequence[str], *, is_foreign: bool = False) -> list[Instance]:
        """Return what would be started; nothing is changed."""
        from runctl.engine.fleet import Leave, find_all  # noqa: PLC0415

        return find_all(self._provider, references, Leave(is_foreign=is_foreign))

    def start(
        self,
        references: Sequence[str],
        *,
        is_foreign: bool = False,
        is_waiting: bool = False,
        timeout: timedelta | None = None,
    ) -> list[InstanceReport]:
        """Start stopped instances; ``is_waiting``: until they answer a command."""
        from runctl.engine.fleet import Leave  # noqa: PLC0415
        from runctl.engine.power import Patience, start  # noqa: PLC0415

        leave, patience = Leave(is_foreign=is_foreign), Patience(is_waiting, timeout)
        return start(self._session, self._provider, references, leave, patience)
