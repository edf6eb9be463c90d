"""The snapshots of one provider, as their user sees them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from runctl.model.instance import Volume
from runctl.model.volume import Snapshot

if TYPE_CHECKING:
    from runctl.providers.api import Provider


class Snapshots:
    """What ``Client.snapshots`` returns. They are named by id, and ours by name as well.

    Of several of one name the newest is meant. One that does not bear our owner tag is a
    RefusedError where it would be deleted; a volume may be made of any.
    """

    def __init__(self, provider: Provider) -> None:
        from runctl.engine.volumes import snapshots_of  # noqa: PLC0415

        self._provider = provider
        self._snapshots = snapshots_of(provider)

    def list(self) -> list[Snapshot]:
        """Return the snapshots that bear our owner tag, the newest first."""
        found = self._snapshots.our_snapshots()
        return sorted(found, key=lambda one: one.started_at, reverse=True)

    def find(self, reference: str) -> Snapshot:
        """Return one snapshot, or raise NotFoundError."""
        from runctl.engine.volumes import find_snapshot  # noqa: PLC0415

        return find_snapshot(self._provider, reference)

    def price(self, gib: int) -> Decimal | None:
        """Return the most that one of so much costs, in US dollars a month; None is unknown."""
        return self._snapshots.price_snapshot(gib)

    def create(self, volume: Volume, name: str, patience: timedelta) -> Snapshot:
        """Keep what a volume holds now; return once that is whole.

        The same name of the same volume is the same snapshot. Raises TryAgain where only the
        waiting is over.
        """
        return self._snapshots.snapshot_volume(volume, name, patience)

    def check_delete(self, reference: str) -> Snapshot:
        """Return it, or raise what ``delete`` would raise."""
        return self._snapshots.check_snapshot_delete(self.find(reference).snapshot_id)

    def delete(self, reference: str) -> Snapshot:
        """Delete it, and return what it was."""
        found = self.find(reference)
        self._snapshots.delete_snapshot(found.snapshot_id)
        return found
