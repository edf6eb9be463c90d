"""The cheapest that can be had, with a provider that refuses what the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from runctl.engine.renting.choosing import Rented, rent, without_spot
from runctl.errors import AuthError, CapacityError, RefusedError, RunctlError
from runctl.model.instance import Instance, Offer
from runctl.model.quantities import parse_duration
from runctl.model.wish import InstanceWish
from tests.instances import FakeProvider, make_instance, make_offer

SPOT = InstanceWish(types=("g5.xlarge",), is_spot=True)
ON_DEMAND = InstanceWish(types=("g5.xlarge",))
Refusals = Mapping[tuple[str, str, bool], RunctlError]


class Market(FakeProvider):
    """It rents what is not refused; ``asked`` has each offer that it was asked for."""

    def __init__(self, refusals: Refusals, begun: Instance | None = None) -> None:
        super().__init__([])
        self.refusals, self.begun = refusals, begun
        self.asked: list[tuple[str, str, bool]] = []
        self.wishes: list[InstanceWish] = []

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        assert token == "token"
        key = (offer.type, offer.place, offer.is_spot)
        self.asked.append(key)
        self.wishes.append(wish)
        if key in self.refusals:
            raise self.refusals[key]
        return self.begun or make_instance(
            "i-1", type=offer.type, place=offer.place, is_spot=offer.is_spot
        )


def _none(place: str) -> CapacityError:
    return CapacityError(f"g5.xlarge could not be rented in {place}: there is none")


def _spot(place: str, usd: str | None, type_: str = "g5.xlarge") -> Offer:
    return make_offer(type_, place, usd, is_spot=True, on_demand_usd_per_hour=Decimal("1.006"))


OFFERS = (_spot("a", "0.40"), _spot("b", "0.50"))
NO_SPOT: Refusals = {("g5.xlarge", place, True): _none(place) for place in "ab"}


def _rent(
    market: Market,
    wish: InstanceWish = SPOT,
    offers: Sequence[Offer] = OFFERS,
    **options: object,
) -> tuple[Rented, list[str]]:
    told: list[str] = []
    return rent(market, offers, wish, "token", told.append, **options), told  # type: ignore[arg-type]


def test_the_cheapest_is_taken_and_nothing_said() -> None:
    market = Market({})
    rented, told = _rent(market)
    assert rented.offer == OFFERS[0]
    assert rented.instance.place == "a"
    assert told == []


def test_the_next_place_is_tried_and_each_that_had_none_told() -> None:
    market = Market({("g5.xlarge", "a", True): _none("a")})
    rented, told = _rent(market)
    assert rented.offer == OFFERS[1]
    assert told == ["g5.xlarge could not be rented in a: there is none"]


def test_another_type_that_fits_is_tried() -> None:
    other = _spot("a", "0.60", "g6.xlarge")
    rented, told = _rent(Market(NO_SPOT), offers=[*OFFERS, other])
    assert rented.offer == other
    assert len(told) == 2


def test_anything_but_capacity_stops_at_once() -> None:
    market = Market({("g5.xlarge", "a", True): AuthError("not you")})
    with pytest.raises(AuthError):
        _rent(market)
    assert len(market.asked) == 1


def test_without_spot_the_difference_is_named_and_nothing_rented() -> None:
    market = Market(NO_SPOT)
    with pytest.raises(CapacityError) as caught:
        _rent(market)
    assert caught.value.message == (
        "there is no g5.xlarge to be had in a, b (spot); "
        "on demand it is g5.xlarge at $1.006 an hour: $0.606 an hour more"
    )
    assert "--fallback on-demand" in (caught.value.hint or "")
    assert all(is_spot for _, _, is_spot in market.asked)


def test_a_fallback_that_was_asked_for_is_told_and_taken() -> None:
    wish = msgspec.structs.replace(SPOT, spot_max_price=Decimal("0.7"))
    market = Market(NO_SPOT)
    rented, told = _rent(market, wish, fallback="on-demand")
    assert rented.offer is not None
    assert (rented.offer.is_spot, rented.offer.usd_per_hour) == (False, Decimal("1.006"))
    assert "$0.606 an hour more; going on without spot" in told[-1]
    assert (market.wishes[-1].is_spot, market.wishes[-1].spot_max_price) == (False, None)


@pytest.mark.parametrize("answer", [True, False])
def test_the_user_is_asked(answer: bool) -> None:
    questions: list[str] = []

    def ask(question: str) -> bool:
        questions.append(question)
        return answer

    market = Market(NO_SPOT)
    if answer:
        assert not _rent(market, fallback="ask", ask=ask)[0].instance.is_spot
    else:
        with pytest.raises(CapacityError, match=r"\$0\.606 an hour more"):
            _rent(market, fallback="ask", ask=ask)
    assert questions[0].endswith("$0.606 an hour more. Go on without spot?")


def test_where_nobody_can_be_asked_the_answer_is_no() -> None:
    with pytest.raises(CapacityError):
        _rent(Market(NO_SPOT), fallback="ask")


def test_on_demand_is_tried_everywhere_and_then_an_error() -> None:
    markets = [(place, is_spot) for place in "ab" for is_spot in (False, True)]
    refusals = {("g5.xlarge", place, is_spot): _none(place) for place, is_spot in markets}
    with pytest.raises(CapacityError, match=r"to be had in a, b \(on demand\)") as caught:
        _rent(Market(refusals), fallback="on-demand")
    assert "--fallback" not in (caught.value.hint or "")


def test_what_is_dearer_than_the_limit_is_never_asked_for() -> None:
    market = Market({("g5.xlarge", "a", True): _none("a")})
    wish = msgspec.structs.replace(SPOT, spot_max_price=Decimal("0.45"))
    with pytest.raises(CapacityError, match="could not be rented in a"):
        _rent(market, wish)
    assert market.asked == [("g5.xlarge", "a", True)]


def test_a_limit_below_every_price_says_what_it_costs() -> None:
    market = Market({})
    wish = msgspec.structs.replace(SPOT, spot_max_price=Decimal("0.1"))
    with pytest.raises(CapacityError, match=r"is g5\.xlarge at \$0\.40 an hour: more than \$0\.10"):
        _rent(market, wish)
    assert market.asked == []


def test_a_quota_is_asked_for_once_a_type_and_its_hint_is_kept() -> None:
    full = CapacityError("the quota is 0", hint="aws service-quotas …", quota="L-DB2E81BA")
    market = Market({("g5.xlarge", place, True): full for place in "ab"})
    with pytest.raises(CapacityError, match="the quota is 0; on demand") as caught:
        _rent(market)
    assert caught.value.hint == "aws service-quotas …"
    assert len(market.asked) == 1


def test_unknown_prices_are_said_to_be_unknown() -> None:
    offers = [make_offer("g5.xlarge", "a", None, is_spot=True)]
    with pytest.raises(CapacityError, match=r"what g5\.xlarge costs on demand is unknown"):
        _rent(Market(NO_SPOT), offers=offers)


@pytest.mark.parametrize(
    ("ttl", "limit"), [(None, "5h"), (timedelta(hours=2), "2h"), (timedelta(hours=9), "5h")]
)
def test_a_limit_on_cost_is_a_time_by_the_price(ttl: timedelta | None, limit: str) -> None:
    wish = msgspec.structs.replace(SPOT, max_cost=Decimal(2), ttl=ttl)
    market = Market({})
    _rent(market, wish)
    assert market.wishes[0].ttl == parse_duration(limit)


def test_a_dearer_offer_has_less_time() -> None:
    market = Market({("g5.xlarge", "a", True): _none("a")})
    _rent(market, msgspec.structs.replace(SPOT, max_cost=Decimal(2)))
    assert market.wishes[-1].ttl == timedelta(hours=4)


@pytest.mark.parametrize(("usd", "told"), [(None, "costs is unknown"), ("100", "pays for 1m12s")])
def test_a_limit_that_cannot_be_kept_is_a_refusal(usd: str | None, told: str) -> None:
    market = Market({})
    with pytest.raises(RefusedError, match=told):
        _rent(market, msgspec.structs.replace(ON_DEMAND, max_cost=Decimal(2)),
              [make_offer("g5.xlarge", "a", usd)])  # fmt: skip
    assert market.asked == []


def test_without_spot_the_cheapest_is_first_and_the_unknown_last() -> None:
    dear = make_offer("x", "a", "0.1", is_spot=True, on_demand_usd_per_hour=Decimal(9))
    unknown = make_offer("y", "a", "0.2", is_spot=True)
    told = without_spot([unknown, dear, OFFERS[0]])
    assert [one.type for one in told] == ["g5.xlarge", "x", "y"]
    assert not any(one.is_spot for one in told)


def test_what_an_earlier_call_rented_is_not_taken_for_the_offer() -> None:
    begun = make_instance("i-0", type="g6.xlarge", place="c", is_spot=True)
    rented, _ = _rent(Market({}, begun))
    assert rented == Rented(begun, None)
