"""What the command line reads from words, without a command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.cli.parameters import (
    Duration,
    Moment,
    check_secrets,
    read_env,
    read_hyperparams,
    read_indices,
    split_lists,
)
from runctl.errors import UsageError
from runctl.model.hyperparams import to_arguments


def test_a_duration_may_be_none_where_a_setting_may() -> None:
    assert Duration().convert("1h30m", None, None) == timedelta(minutes=90)
    assert Duration(has_none=True).convert("none", None, None) == "none"
    with pytest.raises(UsageError, match="'none' is not a duration"):
        Duration().convert("none", None, None)


def test_a_moment_is_an_age_or_a_time() -> None:
    moment = Moment().convert("2026-01-31T12:00+02:00", None, None)
    assert moment == datetime(2026, 1, 31, 10, tzinfo=UTC)
    before = datetime.now(UTC)
    moment = Moment().convert("2h", None, None)
    assert before <= moment + timedelta(hours=2) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["yesterday", "", "99999999w", "2026-13-01"])
def test_what_is_no_moment_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="neither an age nor a time"):
        Moment().convert(text, None, None)


def test_gpus_are_numbers_each_once() -> None:
    assert read_indices(None) == ()
    assert read_indices("1, 0,1") == (0, 1)
    for text in ("a", "-1", "0;1", "99999"):
        with pytest.raises(UsageError, match="--gpus"):
            read_indices(text)


def test_lists_are_repeated_or_have_commas() -> None:
    assert split_lists(["a,b", " c ", ""]) == ("a", "b", "c")


def test_a_variable_has_a_name_and_any_value() -> None:
    assert read_env(["A=1", "B=", "A=x=y,z"]) == {"A": "x=y,z", "B": ""}
    for item in ("A", "=1", "1A=2", "A B=1", ""):
        with pytest.raises(UsageError, match="NAME=VALUE"):
            read_env([item])
    with pytest.raises(UsageError, match="value of A is not UTF-8"):
        read_env(["A=\udcff"])


def test_a_secret_is_named_and_its_value_never_repeated() -> None:
    assert check_secrets(("TOKEN",)) == ("TOKEN",)
    with pytest.raises(UsageError) as caught:
        check_secrets(("TOKEN=hush",))
    assert "hush" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


def test_typed_hyperparameters_are_stronger_than_those_of_files(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("lr = 1e-3\nepochs = 5\n")
    params = read_hyperparams(["lr=1e-2,name='a,b'", f"@{file}", ""])
    assert params is not None
    assert sorted(to_arguments(params)) == ["--epochs=5", "--lr=1e-2", "--name=a,b"]
    assert read_hyperparams([]) is None


@pytest.mark.parametrize("texts", [["a=1", "a=2"], ["a=1,a=1"], ["a_b=1", "a-b=1"]])
def test_a_hyperparameter_given_twice_is_wrong_usage(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="given twice"):
        read_hyperparams(texts)


def test_an_unclosed_quote_does_not_swallow_the_next_text() -> None:
    with pytest.raises(UsageError, match="'a=\"b' is not of the form"):
        read_hyperparams(['a="b', 'c"=1'])
