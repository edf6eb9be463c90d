"""From the intent until the user knows: what is left for the next call, and what is not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runctl.engine.renting.creation import complete, creation, find_offers
from runctl.engine.session import Session
from runctl.errors import (
    CapacityError,
    ProviderError,
    RefusedError,
    RunctlError,
    TransportError,
)
from runctl.model.instance import Instance, Offer
from runctl.model.terms import Terms
from runctl.model.wish import InstanceWish
from tests.instances import FakeProvider, make_instance, make_offer

WISH = InstanceWish(types=("t3.micro",))
OFFERS = [make_offer("t3.micro", "a", "0.01")]


class Lender(FakeProvider):
    """It rents, or raises what it was given; ``tokens`` has what it was asked with."""

    def __init__(self, error: RunctlError | None = None) -> None:
        super().__init__([])
        self.error = error
        self.tokens: list[str] = []

    def offers(self, wish: InstanceWish) -> list[Offer]:
        return [*OFFERS, make_offer("t3.nano", "a", None)]

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        self.tokens.append(token)
        if self.error is not None:
            raise self.error
        return make_instance("i-1")


def _session(folder: Path, region: str | None = None) -> Session:
    aws = SimpleNamespace(region=region, profile=None)
    config = SimpleNamespace(values=SimpleNamespace(aws=aws))
    tokens = iter(bytes([number]) for number in range(9))
    made = SimpleNamespace(user_dir=folder, config=config, chance=lambda _: next(tokens))
    return cast(Session, made)


def _create(session: Session, provider: Lender, wish: InstanceWish = WISH) -> list[str]:
    told: list[str] = []
    with creation(session, provider, wish, Terms(OFFERS, told.append)) as rented:
        assert rented.instance.instance_id == "i-1"
        assert list((session.user_dir / "intents").iterdir())
    return told


def _left(folder: Path) -> list[Path]:
    return list((folder / "intents").iterdir())


def test_once_the_user_knows_nothing_is_left(tmp_path: Path) -> None:
    assert _create(_session(tmp_path), Lender()) == []
    assert _left(tmp_path) == []


def test_what_the_user_is_told_of_is_settled_even_if_telling_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        creation(_session(tmp_path), Lender(), WISH, Terms(OFFERS)),
    ):
        raise KeyboardInterrupt
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [
        CapacityError("there is none"),
        RefusedError("not so"),
        ProviderError("the disk is too small", http_status=400),
    ],
)
def test_what_was_refused_is_settled(tmp_path: Path, error: RunctlError) -> None:
    with pytest.raises(type(error)):
        _create(_session(tmp_path), Lender(error))
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [
        TransportError("the answer never came"),
        ProviderError("it broke", http_status=503),
        ProviderError("who knows"),
    ],
)
def test_what_may_have_been_rented_is_taken_up_with_its_token(
    tmp_path: Path, error: RunctlError
) -> None:
    session, broken, whole = _session(tmp_path), Lender(error), Lender()
    with pytest.raises(type(error)):
        _create(session, broken)
    [left] = _left(tmp_path)
    other = InstanceWish(types=("t3.micro",), name="another")
    assert _create(session, Lender(), other) == []
    # This process holds the lock for as long as it lives; the next one does not.
    _release(left)
    assert _create(session, whole) == ["taking up what was typed before, and was killed"]
    assert whole.tokens == broken.tokens
    assert _left(tmp_path) == []


def _release(path: Path) -> None:
    """Put an equal file in its place, which nobody has locked."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def test_another_region_is_another_thing(tmp_path: Path) -> None:
    with pytest.raises(TransportError):
        _create(_session(tmp_path, "us-east-1"), Lender(TransportError("lost")))
    [left] = _left(tmp_path)
    _release(left)
    assert _create(_session(tmp_path, "eu-west-1"), Lender()) == []


def test_only_what_can_keep_the_limit_is_offered() -> None:
    wish = InstanceWish(types=("t3.micro",), max_cost=Decimal(5))
    assert find_offers(Lender(), wish) == OFFERS
    assert len(find_offers(Lender(), WISH)) == 2
    with pytest.raises(RefusedError, match="pays for 3m"):
        find_offers(Lender(), InstanceWish(max_cost=Decimal("0.0005")))


def test_a_provider_that_needs_nothing_beside_it_gets_the_wish() -> None:
    provider: Any = Lender()
    assert complete(provider, WISH) is WISH
