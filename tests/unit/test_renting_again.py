"""What is rented in the place of what was lost: elsewhere, wider, and within the money left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from runctl.engine.renting.again import find_again, find_wider, with_money_left
from runctl.errors import NotFoundError, RefusedError
from runctl.model.instance import Offer, Rental
from runctl.model.run import Attempt, Run, State
from runctl.model.wish import InstanceWish
from tests.instances import FakeProvider, make_offer
from tests.records import NOW, make_spec

WISH = InstanceWish(types=("m5.large",), zones=("a", "b"), is_spot=True)
RENTAL = Rental(
    type="m5.large", place="a", is_spot=True, usd_per_hour=Decimal("0.5"), since=NOW
)  # fmt: skip


class Market(FakeProvider):
    """It has these offers, whatever is wished; ``wishes`` has what was asked for."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        super().__init__(())
        self.has, self.wishes = offers, list[InstanceWish]()

    def offers(self, wish: InstanceWish) -> Sequence[Offer]:
        self.wishes.append(wish)
        if not self.has:
            raise NotFoundError("nothing fits")
        return self.has


def spot(type_: str, place: str, usd: str | None) -> Offer:
    return make_offer(type_, place, usd, is_spot=True, on_demand_usd_per_hour=Decimal("0.9"))


def names(offers: Sequence[Offer]) -> list[str]:
    return [f"{one.type} {one.place}" for one in offers]


def test_where_it_was_lost_is_tried_last() -> None:
    market = Market([spot("m5.large", "a", "0.1"), spot("m5.large", "b", "0.2")])
    assert names(find_again(market, WISH, RENTAL)) == ["m5.large b", "m5.large a"]
    assert names(find_again(market, WISH, None)) == ["m5.large a", "m5.large b"]


def test_others_have_as_much_and_cost_no_more_than_on_demand() -> None:
    missed = [spot("m5.large", "a", "0.1")]
    market = Market(
        [
            missed[0],
            spot("m5.large", "c", "0.3"),
            spot("m6i.large", "a", "0.9"),
            spot("m7i.large", "a", "0.91"),
            spot("m8i.large", "a", None),
        ]
    )
    assert names(find_wider(market, WISH, missed)) == ["m5.large c", "m6i.large a"]
    [asked] = market.wishes
    assert (asked.types, asked.zones, asked.is_spot) == ((), (), True)
    assert (asked.cpus, asked.memory_gib, asked.gpu) == (4, 16, None)


def test_the_same_gpus_are_asked_for() -> None:
    market = Market([spot("g6.xlarge", "a", "0.1")])
    find_wider(market, WISH, [replace(spot("g5.xlarge", "a", "0.1"), gpus=("L4", "L4"))])
    assert (market.wishes[0].gpu, market.wishes[0].gpu_count) == ("L4", 2)


def test_nothing_is_wider_where_nothing_fits_or_no_price_is_known() -> None:
    assert find_wider(Market([]), WISH, [spot("m5.large", "a", "0.1")]) == []
    unknown = make_offer("m5.large", "a", "0.1", is_spot=True)
    assert find_wider(Market([spot("m5.large", "b", "0.1")]), WISH, [unknown]) == []


def make_run(rental: Rental) -> Run:
    attempt = Attempt(
        number=1, instance="i-1", claimed_at=NOW, reason="a test", state=State.RUNNING,
        rental=rental,
    )  # fmt: skip
    return Run(spec=make_spec(), attempts=(attempt,))


def test_what_attempts_have_cost_is_no_longer_there() -> None:
    wish, later = replace(WISH, max_cost=Decimal(2)), NOW + timedelta(hours=1)
    assert with_money_left(wish, make_run(RENTAL), later).max_cost == Decimal("1.5")
    much_later = NOW + timedelta(hours=9)
    assert with_money_left(wish, make_run(RENTAL), much_later).max_cost == 0
    assert with_money_left(WISH, make_run(RENTAL), later) == WISH
    with pytest.raises(RefusedError, match="unknown"):
        with_money_left(wish, make_run(replace(RENTAL, usd_per_hour=None)), later)


def test_no_money_left_rents_nothing() -> None:
    broke = replace(WISH, max_cost=Decimal(0))
    with pytest.raises(RefusedError, match="pays for"):
        find_again(Market([spot("m5.large", "b", "0.2")]), broke, RENTAL)
