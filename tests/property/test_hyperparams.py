"""Hyperparameters survive being written on one line, and reach the script whole."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import UsageError
from runctl.model.hyperparams import (
    Hyperparameter,
    format_hyperparams,
    parse_hyperparams,
    read_hyperparams_table,
    to_arguments,
)

keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from(["5", "true", "1e-3", 'a,"b', " x ", "", "\\", "'"])
)
tables = st.dictionaries(keys, scalars, max_size=6).filter(
    lambda table: len({key.replace("_", "-") for key in table}) == len(table)
)


@given(tables)
def test_one_line_reads_back_as_the_same(table: dict[str, object]) -> None:
    params = read_hyperparams_table(table, "test")
    assert parse_hyperparams(format_hyperparams(params)) == params


@given(tables)
def test_a_record_reads_back_as_the_same(table: dict[str, object]) -> None:
    params = read_hyperparams_table(table, "test")
    encoded = msgspec.json.encode(params)
    assert msgspec.json.decode(encoded, type=dict[str, Hyperparameter]) == params


@given(tables)
def test_each_argument_carries_its_text(table: dict[str, object]) -> None:
    params = read_hyperparams_table(table, "test")
    for argument, (key, param) in zip(to_arguments(params), params.items(), strict=True):
        if not isinstance(param.value, bool):
            assert argument == f"--{key.replace('_', '-')}={param.text}"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        params = parse_hyperparams(text)
    except UsageError:
        return
    assert parse_hyperparams(format_hyperparams(params)) == params
