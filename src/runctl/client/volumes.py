"""The volumes of one provider, as their user sees them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from runctl.errors import ConflictError
from runctl.model.instance import Instance, Volume
from runctl.model.volume import VolumeAsk, VolumePlan
from runctl.model.wish import InstanceWish, VolumeWish

if TYPE_CHECKING:
    from runctl.engine.session import Session
    from runctl.model.run import Run
    from runctl.model.terms import Tell
    from runctl.providers.api import Provider


class Volumes:
    """What ``Client.volumes`` returns. Volumes are named by id, and ours by name as well.

    What changes one returns once that is so, and is safe to do again. One that does not bear our
    owner tag is a RefusedError.
    """

    def __init__(self, session: Session, provider: Provider) -> None:
        from runctl.engine.volumes import changes_of  # noqa: PLC0415

        self._session = session
        self._provider = provider
        self._changes = changes_of(provider)

    def list(self) -> list[Volume]:
        """Return the volumes that bear our owner tag, by name."""
        return sorted(self._changes.our_volumes(), key=lambda one: (one.name or "", one.volume_id))

    def find(self, reference: str) -> Volume:
        """Return one volume, or raise NotFoundError; ConflictError where two bear the name."""
        from runctl.engine.volumes import find_volume  # noqa: PLC0415

        return find_volume(self._provider, reference)

    def place_of(self, instance: str) -> str:
        """Return the zone of an instance, which a volume for it has to be in, or ConflictError."""
        from runctl.engine.naming import find_instance  # noqa: PLC0415

        found = find_instance(self._provider, instance)
        if found.place is None:
            raise ConflictError(
                f"it is not known in which zone {found.instance_id} is",
                hint=f"runctl aws status {found.instance_id}",
            )
        return found.place

    def price(self, wish: VolumeWish) -> Decimal | None:
        """Return what it would cost, in US dollars a month; None is unknown."""
        return self._changes.price_volume(wish)

    def create(self, wish: VolumeWish) -> Volume:
        """Make a volume, encrypted; ConflictError where one of ours of that name is another."""
        return self._changes.create_volume(wish)

    def attach(self, reference: str, instance: str) -> Volume:
        """Attach it; ConflictError where another instance has it, or is in another zone."""
        from runctl.engine.naming import find_instance  # noqa: PLC0415

        found = find_instance(self._provider, instance)
        return self._changes.attach_volume(self.find(reference).volume_id, found.instance_id)

    def detach(self, reference: str) -> Volume:
        """Unmount it where its instance answers, and detach it; ConflictError where it is in use.

        The error names the process that uses it.
        """
        from runctl.engine.mounting import let_go  # noqa: PLC0415

        return let_go(self._provider, self.find(reference))

    def check_detach(self, reference: str) -> Volume:
        """Return it, or raise what a detach would: RefusedError, or ConflictError if it is used."""
        from runctl.engine.mounting import check_let_go  # noqa: PLC0415

        return check_let_go(self._provider, self.find(reference))

    def check_delete(self, reference: str, *, is_unprotected: bool = False) -> Volume:
        """Return it, or raise what ``delete`` would raise."""
        ident = self.find(reference).volume_id
        return self._changes.check_volume_delete(ident, is_unprotected=is_unprotected)

    def check_resize(self, reference: str, gib: int) -> Volume:
        """Return it, or raise ConflictError where it would shrink."""
        return self._changes.check_volume_resize(self.find(reference).volume_id, gib)

    def resize(self, reference: str, gib: int) -> tuple[Volume, str | None]:
        """Make it larger; return it, and why its file system has not grown with it, if so."""
        from runctl.engine.mounting import resize  # noqa: PLC0415

        return resize(self._provider, self.find(reference).volume_id, gib)

    # -- on instances

    def foresee(
        self, asks: Sequence[VolumeAsk], target: str, *, is_strict: bool = False
    ) -> VolumePlan:
        """Say which volumes are meant for a target such as ``aws:i-…`` or ``aws``, and their zone.

        Raises NotFoundError, RefusedError for what is not ours, ConflictError where they cannot be
        on one instance, or not on that which is named. ``is_strict``: no instance that is there
        already may have what another one is to be rented for.
        """
        from runctl.engine.mounting import foresee  # noqa: PLC0415

        return foresee(self._session, target, asks, is_strict=is_strict)

    def near(self, wish: InstanceWish, plan: VolumePlan) -> InstanceWish:
        """Return the wish for an instance in the zone of the volumes, or raise ConflictError."""
        from runctl.engine.mounting import within  # noqa: PLC0415

        return within(wish, plan)

    def release(self, run: Run, tell: Tell) -> None:
        """Detach what a run that is over had mounted on an instance that stays.

        What stands in the way is told.
        """
        from runctl.engine.mounting import release  # noqa: PLC0415

        release(self._provider, run, tell)

    def mount(self, asks: Sequence[VolumeAsk], instance: Instance, tell: Tell) -> None:
        """Attach them to an instance that answers, make those that are new, and mount them."""
        from runctl.engine.mounting import mount_all  # noqa: PLC0415

        mount_all(self._session, self._provider, asks, instance, tell)

    def delete(self, reference: str, *, is_unprotected: bool = False) -> Volume:
        """Delete it, and return what it was; RefusedError where it is protected."""
        found = self.find(reference)
        self._changes.delete_volume(found.volume_id, is_unprotected=is_unprotected)
        return found
