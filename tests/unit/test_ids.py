"""Run ids sort newest first, and names are held to what a key and a shell can bear."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runctl.model.ids import ALPHABET, is_run_id, is_run_name, make_run_id, run_created_at
from tests.records import NOW

ZEROS, ONES = bytes(4), b"\xff" * 4


def test_an_id_tells_its_time_to_the_millisecond() -> None:
    assert run_created_at(make_run_id(NOW, ZEROS)) == NOW.replace(microsecond=123000)


def test_a_later_run_sorts_first_whatever_the_chance() -> None:
    later = NOW + timedelta(milliseconds=1)
    assert make_run_id(later, ONES) < make_run_id(NOW, ZEROS)


def test_chance_tells_runs_of_one_millisecond_apart() -> None:
    ids = {make_run_id(NOW, number.to_bytes(4, "big")) for number in range(1000)}
    assert len(ids) == 1000


@pytest.mark.parametrize("year", [1970, 2026, 2100, 2900])
def test_ids_hold_for_centuries(year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    run_id = make_run_id(moment, ONES)
    assert is_run_id(run_id)
    assert run_created_at(run_id) == moment


def test_no_digit_is_mistaken_for_another() -> None:
    assert not set("ilou") & set(ALPHABET)
    assert len(set(ALPHABET)) == 32
    assert sorted(ALPHABET) == list(ALPHABET), "ids would not sort as their numbers do"


@pytest.mark.parametrize(
    "text",
    ["", "x", "0" * 15, "000000000-0000", "000000000-000000", "00000000l-00000",
     "000000000_00000", "000000000-00000\n", "../000000-00000", "00000000A-00000"],
)  # fmt: skip
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert not is_run_id(text)


@pytest.mark.parametrize("name", ["a", "digits-1", "A.b_c-9", "9", "x" * 63])
def test_names_that_are_allowed(name: str) -> None:
    assert is_run_name(name)


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a b", "a/b", "a\n", "ö", "@last", "x" * 64, "a\0", "a:b", "$a"]
)
def test_names_that_are_not(name: str) -> None:
    assert not is_run_name(name)
