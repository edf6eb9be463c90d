"""Which instance ends with a run: the one that was rented for it, and no other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from runctl.engine.renting import attempts
from runctl.engine.renting.attempts import due_to_end, rented_for, see_end
from runctl.errors import ConflictError, NotFoundError
from runctl.model.cost import attempt_cost, run_cost
from runctl.model.instance import Instance, InstanceState, Offer, Rental
from runctl.model.run import Attempt, Run, State
from runctl.model.terms import Terms
from runctl.model.wish import InstanceWish
from tests.instances import FakeProvider, make_instance, make_offer
from tests.records import NOW, make_spec

RENTAL = Rental(
    type="m5.large", place="us-east-1a", is_spot=True, usd_per_hour=Decimal("0.036"),
    since=NOW, ends_with_run=True,
)  # fmt: skip


def make_run(state: State, rental: Rental | None) -> Run:
    attempt = Attempt(
        number=1, instance="i-1", claimed_at=NOW, reason="a test", state=state, rental=rental
    )
    return Run(spec=make_spec(), attempts=(attempt,))


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.STOPPED, State.LIMIT])
def test_what_was_rented_for_a_run_ends_with_it(state: State) -> None:
    assert due_to_end(make_run(state, RENTAL)) == "i-1"


def test_all_else_stays() -> None:
    assert due_to_end(make_run(State.SUCCEEDED, None)) is None
    assert due_to_end(make_run(State.SUCCEEDED, replace(RENTAL, ends_with_run=False))) is None
    assert due_to_end(make_run(State.RUNNING, RENTAL)) is None
    assert due_to_end(make_run(State.LOST, RENTAL)) is None  # its disk may hold work


def test_the_cost_is_time_at_the_price_of_the_launch() -> None:
    run = make_run(State.RUNNING, RENTAL)
    later = NOW.replace(hour=NOW.hour + 1)
    assert run_cost(run, later) == Decimal("0.036")
    assert attempt_cost(run.attempts[0], NOW) == Decimal("0.0006")  # a minute at least
    assert run_cost(make_run(State.RUNNING, None), later) is None
    unknown = replace(RENTAL, usd_per_hour=None)
    both = replace(run, attempts=(*run.attempts, replace(run.attempts[0], rental=unknown)))
    assert run_cost(both, later) is None


class Market(FakeProvider):
    """It rents one instance, which EC2 does not know of for so many looks."""

    unknown = 0

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        made = make_instance("i-1", type=offer.type, place=offer.place)
        self.known["i-1"] = made
        return made

    def terminate(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self.unknown -= 1
        if self.unknown >= 0:
            raise NotFoundError(f"there is no instance {instance_id}")
        super().terminate(instance_id, is_foreign=is_foreign)

    def silence_of(self, instance_id: str) -> str | None:
        return None


def fail_within(market: Market, *, is_kept: bool = False, is_taken: bool = False) -> list[str]:
    """Let what an instance is for fail; return what was told."""
    told: list[str] = []
    terms = Terms(offers=[make_offer("m5.large", "us-east-1a", "0.1")], tell=told.append)
    wish = InstanceWish(types=("m5.large",), ends_on_request=not is_kept)
    with (
        pytest.raises(ConflictError),
        rented_for(market, "token", wish, terms, lambda _ident: is_taken),
    ):
        raise ConflictError("it could not be started")
    return told


def test_what_was_rented_in_vain_is_ended() -> None:
    market = Market([])
    assert fail_within(market)[-1] == "i-1 is ended"
    assert market.ended == ["i-1"]


def test_one_that_is_not_known_yet_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    market = Market([])
    market.unknown = 2
    assert fail_within(market)[-1] == "i-1 is ended"
    assert market.ended == ["i-1"]


def test_what_is_kept_or_taken_stays() -> None:
    market = Market([])
    fail_within(market, is_kept=True)
    assert "somebody else" in fail_within(market, is_taken=True)[-1]
    assert market.ended == []


def test_an_instance_in_use_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "OWN_END_S", 0.0)
    monkeypatch.setattr("time.sleep", lambda _: None)
    market = Market([make_instance("i-1")])
    assert see_end(market, "i-1", lambda _: True).state is InstanceState.RUNNING
    assert market.ended == []
    see_end(market, "i-1", lambda _: False)
    assert market.ended == ["i-1"]
