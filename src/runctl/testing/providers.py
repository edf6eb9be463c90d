"""The contract that every provider keeps; subclass it with a maker.

::

    class TestLocal(ProviderContract):
        def make_provider(self): return LocalProvider()
        def foreign_instance(self, provider): return "local"

A provider that really rents inherits from RentingContract; one whose instances can be stopped,
or have disks, from PowerContract or VolumesContract as well.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from decimal import Decimal
from pathlib import Path

import pytest

from runctl.errors import ConflictError, NotFoundError, RefusedError
from runctl.model.instance import GONE, InstanceState
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider, SupportsPower, SupportsReadiness, SupportsVolumes

ABSENT = "absent-0123456789"
PATIENCE_S = 600.0


class ProviderContract(ABC):
    """What holds for every provider."""

    @abstractmethod
    def make_provider(self) -> Provider:
        """Return the provider, as its user would have it."""

    @abstractmethod
    def foreign_instance(self, provider: Provider) -> str:
        """Return the id of an instance that is up, and that runctl did not create."""

    def wish(self) -> InstanceWish:
        """Return what is asked for; override it where a provider must be told more."""
        return InstanceWish()

    @pytest.fixture
    def provider(self) -> Provider:
        return self.make_provider()

    def test_there_is_something_to_rent(self, provider: Provider) -> None:
        for offer in provider.offers(self.wish()):
            assert offer.provider == provider.name
            assert offer.type
            assert offer.place
            assert offer.cpus >= 1
            assert offer.memory_bytes >= 1 << 20
        assert provider.offers(self.wish())

    def test_the_cheapest_comes_first_and_the_unknown_last(self, provider: Provider) -> None:
        prices = [offer.usd_per_hour for offer in provider.offers(self.wish())]
        known = [price for price in prices if price is not None]
        assert prices == [*sorted(known), *[None] * (len(prices) - len(known))]
        assert all(price >= Decimal(0) for price in known)

    def test_an_instance_is_described_as_itself(self, provider: Provider) -> None:
        found = provider.describe(self.foreign_instance(provider))
        assert found.instance_id == self.foreign_instance(provider)
        assert (found.provider, found.state) == (provider.name, InstanceState.RUNNING)

    def test_an_instance_that_is_not_there_is_not_found(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFoundError, match=ABSENT):
            provider.describe(ABSENT)
        with pytest.raises(NotFoundError, match=ABSENT):
            provider.connect(ABSENT)
        with pytest.raises(NotFoundError, match=ABSENT):
            provider.terminate(ABSENT)
        with pytest.raises(NotFoundError, match=ABSENT):
            provider.instance_root(ABSENT, {"HOME": str(tmp_path)})

    def test_what_is_not_ours_is_never_ended(self, provider: Provider) -> None:
        foreign = self.foreign_instance(provider)
        assert not provider.describe(foreign).is_ours
        with pytest.raises(RefusedError):
            provider.terminate(foreign)
        assert provider.describe(foreign).state is InstanceState.RUNNING

    def test_only_ours_is_found(self, provider: Provider) -> None:
        found = provider.find()
        assert all(instance.is_ours for instance in found)
        assert self.foreign_instance(provider) not in [one.instance_id for one in found]

    def test_an_instance_can_be_reached(self, provider: Provider) -> None:
        transport = provider.connect(self.foreign_instance(provider))
        assert transport.exec(["printf", "%s", "here"]).stdout == b"here"

    def test_what_is_up_answers_without_a_transport_too(self, provider: Provider) -> None:
        if isinstance(provider, SupportsReadiness):
            assert provider.silence_of(self.foreign_instance(provider)) is None

    def test_attempts_live_in_an_absolute_place(self, provider: Provider, tmp_path: Path) -> None:
        foreign, home = self.foreign_instance(provider), {"HOME": str(tmp_path)}
        assert provider.instance_root(foreign, home).is_absolute()
        assert provider.instance_root(foreign, home) == provider.instance_root(foreign, home)


class RentingContract(ProviderContract):
    """For providers whose instances are created and ended by runctl."""

    def test_a_token_rents_one_instance_and_it_can_be_ended(self, provider: Provider) -> None:
        wish = self.wish()
        offer = provider.offers(wish)[0]
        instance = provider.create(offer, wish, "token-of-the-contract")
        try:
            again = provider.create(offer, wish, "token-of-the-contract")
            assert again.instance_id == instance.instance_id
            assert instance.is_ours
            assert instance.instance_id in [one.instance_id for one in provider.find()]
        finally:
            provider.terminate(instance.instance_id)
        provider.terminate(instance.instance_id)
        assert instance.instance_id not in [
            one.instance_id for one in provider.find() if one.state not in GONE
        ]

    def test_a_token_whose_instance_has_ended_rents_another(self, provider: Provider) -> None:
        wish = self.wish()
        offer = provider.offers(wish)[0]
        first = provider.create(offer, wish, "token-that-goes-on")
        provider.terminate(first.instance_id)
        second = provider.create(offer, wish, "token-that-goes-on")
        try:
            assert second.instance_id != first.instance_id
            again = provider.create(offer, wish, "token-that-goes-on")
            assert again.instance_id == second.instance_id
        finally:
            provider.terminate(second.instance_id)


class PowerContract(RentingContract):
    """For providers whose instances can be stopped and started again."""

    def test_what_is_not_ours_is_neither_stopped_nor_started(self, provider: Provider) -> None:
        assert isinstance(provider, SupportsPower)
        foreign = self.foreign_instance(provider)
        for change in (provider.stop, provider.start):
            with pytest.raises(RefusedError):
                change(foreign)
        assert provider.describe(foreign).state is InstanceState.RUNNING

    def test_an_instance_stops_and_starts_again(self, provider: Provider) -> None:
        assert isinstance(provider, SupportsPower)
        ident = self._rent(provider, "token-of-power")
        try:
            _await(provider, ident, InstanceState.RUNNING)
            provider.check_stop(ident)
            for _ in range(2):  # the second time it does nothing
                provider.stop(ident)
            _await(provider, ident, InstanceState.STOPPED)
            for _ in range(2):
                provider.start(ident)
            _await(provider, ident, InstanceState.RUNNING)
        finally:
            provider.terminate(ident)
        for change in (provider.stop, provider.start):
            with pytest.raises(ConflictError, match=ident):
                change(ident)

    def _rent(self, provider: Provider, token: str) -> str:
        wish = self.wish()
        return provider.create(provider.offers(wish)[0], wish, token).instance_id


class VolumesContract(ProviderContract):
    """For providers whose instances have disks that may outlive them."""

    def test_disks_tell_their_size_and_their_price(self, provider: Provider) -> None:
        assert isinstance(provider, SupportsVolumes)
        foreign = self.foreign_instance(provider)
        for volume in provider.volumes(foreign):
            assert (volume.provider, volume.instance_id) == (provider.name, foreign)
            assert volume.gib >= 1
            assert volume.usd_per_month is None or volume.usd_per_month > 0
        assert provider.volumes(foreign)

    def test_what_is_attached_is_not_spare(self, provider: Provider) -> None:
        assert isinstance(provider, SupportsVolumes)
        attached = {one.volume_id for one in provider.volumes(self.foreign_instance(provider))}
        spare = provider.spare_volumes()
        assert not attached & {one.volume_id for one in spare}
        assert all(one.instance_id is None for one in spare)


def _await(provider: Provider, instance_id: str, state: InstanceState) -> None:
    end = time.monotonic() + PATIENCE_S
    while provider.describe(instance_id).state is not state:
        assert time.monotonic() < end, f"{instance_id} never became {state}"
        time.sleep(0.2)
