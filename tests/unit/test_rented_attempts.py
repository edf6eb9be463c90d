"""Which instance ends with a run: the one that was rented for it, and no other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from runctl.engine.renting.attempts import due_to_end
from runctl.model.cost import attempt_cost, run_cost
from runctl.model.instance import Rental
from runctl.model.run import Attempt, Run, State
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
