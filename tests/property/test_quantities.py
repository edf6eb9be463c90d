"""What is formatted can be read back."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from runctl.model.quantities import format_duration, format_size, parse_duration, parse_size


@given(st.timedeltas(min_value=timedelta()))
def test_a_duration_survives_the_round_trip(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 2**70))
def test_a_size_survives_the_round_trip_to_its_last_digit(size_bytes: int) -> None:
    assert abs(parse_size(format_size(size_bytes)) - size_bytes) <= size_bytes * 0.05


@given(st.integers(0, 1023), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB", "PiB"]))
def test_a_whole_number_of_units_is_exact(count: int, unit: str) -> None:
    size_bytes = parse_size(f"{count}{unit}")
    assert parse_size(format_size(size_bytes)) == size_bytes
