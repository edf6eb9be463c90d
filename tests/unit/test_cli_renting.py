"""What is said of prices before anything is rented, and how amounts and sizes are read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import click
import pytest

from runctl.cli.renting import Dollars, Gibibytes, price_lines
from runctl.model.instance import Offer
from runctl.model.quantities import format_usd
from runctl.model.wish import InstanceWish
from tests.instances import make_offer

WISH = InstanceWish(types=("g5.xlarge",), image="dlami")


def _spot(place: str, usd: str | None) -> Offer:
    beside = Decimal("1.006")
    return make_offer(
        "g5.xlarge", place, usd, gpus=("A10G",), is_spot=True, on_demand_usd_per_hour=beside
    )


def test_places_of_one_price_are_one_line_with_both_prices() -> None:
    lines = list(price_lines([_spot("a", "0.4"), _spot("b", "0.4"), _spot("c", "0.5")], WISH))
    assert lines[0] == (
        "g5.xlarge (4 CPUs, 16GiB, 1 A10G) spot: "
        "$0.40 an hour, $9.60 a day (on demand $1.006 an hour), in a, b"
    )
    assert lines[1].endswith("in c")
    assert lines[2] == "it costs until you end it: --ttl or --max-cost end it by itself"


def test_the_most_it_can_be_is_that_of_the_dearest() -> None:
    wish = InstanceWish(types=("g5.xlarge",), image="dlami", ttl=timedelta(hours=10))
    offers = [_spot("a", "0.4"), _spot("b", "0.5")]
    assert list(price_lines(offers, wish))[-1] == "it ends by itself after 10h: at most $5.00"
    unknown = [*offers, _spot("c", None)]
    assert list(price_lines(unknown, wish))[-1] == "it ends by itself after 10h"


def test_many_are_summed_up_and_the_unknown_is_said() -> None:
    offers = [make_offer(f"t{number}", "a", f"0.{number}") for number in range(1, 8)]
    dear = make_offer("u", "a", None, note="the list is denied")
    lines = list(price_lines([*offers, dear], WISH))
    assert lines[5] == "… and 3 more, as far as u at an unknown price"
    assert "at an unknown price, in a; the list is denied" in next(iter(price_lines([dear], WISH)))


def test_an_image_without_a_driver_is_said_to_be() -> None:
    told = list(price_lines([_spot("a", "0.4")], InstanceWish(image="al2023")))
    assert told[-1] == "al2023 has no driver for GPUs: --ami dlami has one"


@pytest.mark.parametrize(
    ("text", "amount"), [("1", "1"), ("0.50", "0.50"), ("$3", "3"), ("1e-3", "0.001")]
)
def test_dollars_are_read(text: str, amount: str) -> None:
    assert Dollars().convert(text, None, None) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1,5", "1e99", "free"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not an amount of US dollars"):
        Dollars().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "gib"), [("32", 32), ("32G", 32), ("1.5GiB", 2), ("1T", 1024), ("100GB", 94)]
)
def test_sizes_are_read_in_gib(text: str, gib: int) -> None:
    assert Gibibytes().convert(text, None, None) == gib


@pytest.mark.parametrize("text", ["0", "-1", "", "1e9", "9" * 30, "0G", "²"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Gibibytes().convert(text, None, None)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.006", "$1.006"), ("0.2", "$0.20"), ("0.0104", "$0.0104"), ("98.3204", "$98.3204"),
     ("2949.61", "$2949.61"), ("12", "$12.00"), ("0.00004", "$0.00")],
)  # fmt: skip
def test_dollars_are_written(amount: str, text: str) -> None:
    assert format_usd(Decimal(amount)) == text
