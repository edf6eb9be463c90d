"""What instances have cost, and money as people read it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from runctl.model.instance import InstanceState
from runctl.model.money import cost_of, format_cost, rate_of
from tests.instances import make_instance
from tests.records import NOW

PRICE = Decimal("0.36")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.00004", "under $0.0001"),
        ("0.0042", "$0.0042"),
        ("0.31", "$0.31"),
        ("0.305", "$0.31"),
        ("12.4", "$12.40"),
        ("1234.567", "$1,234.57"),
    ],
)
def test_amounts(amount: str, text: str) -> None:
    assert format_cost(Decimal(amount)) == text


def test_a_running_instance_costs_from_its_launch_to_now() -> None:
    one = make_instance("i-1", launched_at=NOW - timedelta(hours=2), usd_per_hour=PRICE)
    assert cost_of(one, NOW) == Decimal("0.72")
    assert rate_of(one) == PRICE


def test_a_start_costs_a_minute_at_least() -> None:
    one = make_instance("i-1", launched_at=NOW - timedelta(seconds=5), usd_per_hour=PRICE)
    assert cost_of(one, NOW) == Decimal("0.006")


def test_one_that_is_stopped_costs_until_then_and_nothing_now() -> None:
    began = NOW - timedelta(hours=2)
    halted = began + timedelta(minutes=30)
    one = make_instance(
        "i-1",
        launched_at=began,
        halted_at=halted,
        usd_per_hour=PRICE,
        state=InstanceState.STOPPED,
    )
    assert cost_of(one, NOW) == Decimal("0.18")
    assert rate_of(one) == 0


@pytest.mark.parametrize("missing", ["usd_per_hour", "launched_at", "halted_at"])
def test_what_is_unknown_stays_unknown(missing: str) -> None:
    known = {"usd_per_hour": PRICE, "launched_at": NOW, "halted_at": NOW}
    ended = InstanceState.TERMINATED
    one = make_instance("i-1", **(known | {missing: None}), state=ended)
    assert cost_of(one, NOW + timedelta(hours=1)) is None


def test_a_cost_has_no_more_digits_than_mean_anything() -> None:
    price = Decimal("0.0104")
    one = make_instance("i-1", launched_at=NOW - timedelta(seconds=61), usd_per_hour=price)
    assert str(cost_of(one, NOW)) == "0.000176"
