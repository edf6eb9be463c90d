"""Instances and a provider that exist in memory alone, for tests of what decides about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from runctl.aws.account import Account
from runctl.errors import ConflictError, NotFoundError, RefusedError
from runctl.model.instance import Instance, InstanceState, Offer
from runctl.model.wish import InstanceWish
from runctl.transports.api import Transport


def make_offer(type_: str, place: str, usd: str | None, **changes: object) -> Offer:
    """Return an offer of a small machine, but for the changes."""
    made = Offer(
        provider="fake",
        type=type_,
        place=place,
        usd_per_hour=None if usd is None else Decimal(usd),
        cpus=4,
        memory_bytes=16 << 30,
    )
    return msgspec.structs.replace(made, **changes)


def make_instance(ident: str, **changes: object) -> Instance:
    """Return a running instance of ours, but for the changes."""
    made = Instance(
        provider="fake",
        instance_id=ident,
        type="t3.micro",
        state=InstanceState.RUNNING,
        is_ours=True,
    )
    return msgspec.structs.replace(made, **changes)


class FakeProvider:
    """It knows what it was given; ``ended`` has what it was told to terminate, in order."""

    name = "fake"
    is_here = False
    is_exclusive = True

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.known = {one.instance_id: one for one in instances}
        self.ended: list[str] = []

    def names_type(self, text: str) -> bool:
        return "." in text

    def offers(self, wish: InstanceWish) -> Sequence[Offer]:
        raise AssertionError(f"nobody asks for offers: {wish}")

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        raise AssertionError(f"nobody rents: {offer}, {wish}, {token}")

    def describe(self, instance_id: str) -> Instance:
        if instance_id not in self.known:
            raise NotFoundError(f"there is no instance {instance_id}", hint="runctl aws list")
        return self.known[instance_id]

    def find(self) -> Sequence[Instance]:
        return [one for one in self.known.values() if one.is_ours]

    def terminate(self, instance_id: str, *, is_foreign: bool = False) -> None:
        found = self.describe(instance_id)
        if not (found.is_ours or is_foreign):
            raise RefusedError(f"{instance_id} is not ours to end")
        self.ended.append(instance_id)
        self.known[instance_id] = msgspec.structs.replace(found, state=InstanceState.TERMINATED)

    def connect(self, instance_id: str) -> Transport:
        raise AssertionError(f"nobody connects to {instance_id}")

    def instance_root(self, instance_id: str, environ: Mapping[str, str]) -> Path:
        raise AssertionError(f"nobody asks for the root of {instance_id}: {environ}")


class FakePower(FakeProvider):
    """Its instances are stopped and started at once; ``rigid`` have those that cannot be."""

    def __init__(self, instances: Sequence[Instance], rigid: Sequence[str] = ()) -> None:
        super().__init__(instances)
        self.rigid = rigid

    def check_stop(self, instance_id: str) -> None:
        if instance_id in self.rigid:
            raise ConflictError(f"{instance_id} cannot be stopped", hint="end it")

    def stop(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self._turn(instance_id, InstanceState.STOPPED)

    def start(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self._turn(instance_id, InstanceState.RUNNING)

    def _turn(self, instance_id: str, state: InstanceState) -> None:
        found = self.describe(instance_id)
        self.known[instance_id] = msgspec.structs.replace(found, state=state)


def no_account() -> Account:
    """Stand for the account of AWS where nobody has anything to do with it."""
    raise AssertionError("nobody asks for the account of AWS")
