"""The seam to whoever rents machines: six verbs; what only some can do is a protocol of its own.

The contract is tested by ``runctl.testing.providers`` on each implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from runctl.model.instance import Instance, Offer, Volume
from runctl.model.volume import Snapshot
from runctl.model.wish import InstanceWish, VolumeWish
from runctl.transports.api import Transport

if TYPE_CHECKING:
    from runctl.aws.account import Account
    from runctl.transports.instances import Ways


@dataclass(frozen=True)
class Surroundings:
    """What providers are opened with; each is made when a provider first asks for it.

    ``owner`` is the id in our tag; ``ways`` lead to the instances of the account.
    """

    account: Callable[[], Account]
    owner: Callable[[], str]
    ways: Callable[[], Ways]


class Provider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_here(self) -> bool:
        """Whether its instances are this very machine: nothing has to travel."""
        ...

    @property
    def is_exclusive(self) -> bool:
        """Whether an instance runs one run at a time, whatever GPUs it claims."""
        ...

    def names_type(self, text: str) -> bool:
        """Tell whether a text has the form of a type that can be rented, not of an instance."""
        ...

    def offers(self, wish: InstanceWish) -> Sequence[Offer]:
        """Return what can be had now, cheapest first; a price of None is unknown, never 0."""
        ...

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        """Rent it. The same token never rents a second one."""
        ...

    def describe(self, instance_id: str) -> Instance:
        """Return the instance as it is now, or raise NotFoundError."""
        ...

    def find(self) -> Sequence[Instance]:
        """Return the instances that bear our owner tag."""
        ...

    def terminate(self, instance_id: str, *, is_foreign: bool = False) -> None:
        """End the instance; one that is not ours is refused, unless it is said not to be.

        Safe to do again. Raises ConflictError where something protects it.
        """
        ...

    def connect(self, instance_id: str) -> Transport:
        """Return a way to reach the instance."""
        ...

    def instance_root(self, instance_id: str, environ: Mapping[str, str]) -> Path:
        """Return the folder on the instance where attempts live."""
        ...


@runtime_checkable
class SupportsMarks(Protocol):
    """Providers whose instances can say which run they are for, to whoever lists them."""

    def mark(self, instance_id: str, run_id: str, attempt: int) -> None:
        """Write down that this attempt is being started on the instance."""
        ...


@runtime_checkable
class SupportsPower(Protocol):
    """Providers whose instances can be stopped, and started again with their disks."""

    def check_stop(self, instance_id: str) -> None:
        """Raise ConflictError, with what to do instead, if the instance cannot be stopped."""
        ...

    def stop(self, instance_id: str, *, is_foreign: bool = False) -> None:
        """Tell the instance to stop; one that is not ours is refused, unless it is said not to be.

        Safe to do again. It returns once the instance is described as stopping.
        """
        ...

    def start(self, instance_id: str, *, is_foreign: bool = False) -> None:
        """Tell a stopped instance to start; refused, and safe to do again, as a stop is."""
        ...


@runtime_checkable
class SupportsVolumes(Protocol):
    """Providers whose instances have disks that may outlive them."""

    def volumes(self, instance_id: str) -> Sequence[Volume]:
        """Return what is attached to the instance."""
        ...

    def spare_volumes(self) -> Sequence[Volume]:
        """Return the volumes that bear our owner tag and are attached to nothing."""
        ...


@runtime_checkable
class SupportsVolumeChanges(Protocol):
    """Providers whose volumes are made, moved and deleted; only those that are ours.

    What changes a volume waits until that is so, is safe to do again, and raises RefusedError
    where it does not bear our owner tag.
    """

    def our_volumes(self) -> Sequence[Volume]:
        """Return the volumes that bear our owner tag."""
        ...

    def describe_volume(self, volume_id: str) -> Volume:
        """Return the volume as it is now, or raise NotFoundError."""
        ...

    def price_volume(self, wish: VolumeWish) -> Decimal | None:
        """Return what it would cost, in US dollars a month; None is unknown."""
        ...

    def create_volume(self, wish: VolumeWish) -> Volume:
        """Make it, encrypted; the same wish again makes no second one.

        Raises ConflictError where one of ours bears the name, and is another.
        """
        ...

    def attach_volume(self, volume_id: str, instance_id: str) -> Volume:
        """Attach it; ConflictError where another instance has it, or is elsewhere."""
        ...

    def detach_volume(self, volume_id: str) -> Volume:
        """Detach it; ConflictError where the instance does not let go of it."""
        ...

    def check_volume_ours(self, volume_id: str) -> Volume:
        """Return it, or raise what any change of it would raise."""
        ...

    def check_volume_delete(self, volume_id: str, *, is_unprotected: bool = False) -> Volume:
        """Return it, or raise what its deletion would raise."""
        ...

    def delete_volume(self, volume_id: str, *, is_unprotected: bool = False) -> None:
        """Delete it; RefusedError where it is protected, ConflictError where it is attached."""
        ...

    def check_volume_resize(self, volume_id: str, gib: int) -> Volume:
        """Return it, or raise ConflictError where it would shrink."""
        ...

    def resize_volume(self, volume_id: str, gib: int) -> Volume:
        """Make it larger; the file system on it is as large as before."""
        ...


@runtime_checkable
class SupportsSnapshots(Protocol):
    """Providers that keep what a volume held at a moment."""

    def our_snapshots(self) -> Sequence[Snapshot]:
        """Return the snapshots that bear our owner tag."""
        ...

    def describe_snapshot(self, snapshot_id: str) -> Snapshot:
        """Return the snapshot as it is now, or raise NotFoundError."""
        ...

    def price_snapshot(self, gib: int) -> Decimal | None:
        """Return the most that one of so much costs, in US dollars a month; None is unknown."""
        ...

    def snapshot_volume(self, volume: Volume, name: str, patience: timedelta) -> Snapshot:
        """Make one, and return once it is whole; the same name and volume make no second one.

        Raises TryAgain where only the waiting is over.
        """
        ...

    def check_snapshot_delete(self, snapshot_id: str) -> Snapshot:
        """Return it, or raise RefusedError where it is not ours."""
        ...

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete it; ConflictError where an image is made of it."""
        ...


@runtime_checkable
class SupportsReadiness(Protocol):
    """Providers that know, without a transport, when an instance answers."""

    def silence_of(self, instance_id: str) -> str | None:
        """Return why a running instance does not answer yet; None once it has answered.

        Raises TransportError or RefusedError where that is so for now.
        """
        ...


@runtime_checkable
class SupportsDefaults(Protocol):
    """Providers whose instances need what was set up for them once."""

    def complete(self, wish: InstanceWish) -> InstanceWish:
        """Return the wish with that filled in where it is not said.

        Raises ConfigError where an instance could not be reached, NotFoundError where what is said
        is not there.
        """
        ...
