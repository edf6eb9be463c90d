"""The order of ids is the order of time, reversed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runctl.model.ids import is_run_id, make_run_id, run_created_at

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 32 * 10**15).map(lambda count: EPOCH + timedelta(microseconds=count))
CHANCE = st.binary(min_size=4, max_size=8)


def to_the_millisecond(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=moment.microsecond % 1000)


@given(moment=TIMES, chance=CHANCE)
def test_the_time_of_an_id_can_be_read_back(moment: datetime, chance: bytes) -> None:
    run_id = make_run_id(moment, chance)
    assert is_run_id(run_id)
    assert run_created_at(run_id) == to_the_millisecond(moment)


@given(moments=st.lists(st.tuples(TIMES, CHANCE), min_size=2))
def test_sorted_ids_are_sorted_by_time_newest_first(
    moments: list[tuple[datetime, bytes]],
) -> None:
    ids = sorted(make_run_id(moment, chance) for moment, chance in moments)
    times = [run_created_at(run_id) for run_id in ids]
    assert times == sorted(times, reverse=True)
