"""Hyperparameters: typed, validated, and passed on as the user wrote them."""

from __future__ import annotations

import argparse

import pytest

from runctl.errors import UsageError
from runctl.model.hyperparams import (
    Hyperparameter,
    merge_hyperparams,
    parse_hyperparams,
    parse_hyperparams_toml,
    read_hyperparams_table,
    to_arguments,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-3", -3),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("true", True),
        ("False", False),
        ("adam", "adam"),
        ("", ""),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("9" * 25, "9" * 25),
        ("a=b", "a=b"),
    ],
)
def test_a_bare_value_has_the_type_it_looks_like(text: str, value: object) -> None:
    found = parse_hyperparams(f"key={text}")["key"]
    assert (found.value, type(found.value), found.text) == (value, type(value), text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a,b"', "a,b"),
        ("'a,b'", "a,b"),
        ('"5"', "5"),
        ('"true"', "true"),
        (r'"say \"hi\"\n\\"', 'say "hi"\n\\'),
        (r"'a\nb'", r"a\nb"),
    ],
)
def test_a_quoted_value_is_text(text: str, value: str) -> None:
    assert parse_hyperparams(f"key={text} , next=1")["key"] == Hyperparameter(value, value)


def test_items_are_separated_by_commas_with_or_without_spaces() -> None:
    found = parse_hyperparams(' epochs=5, lr = 1e-3,name="x, y=z" ')
    assert {key: param.value for key, param in found.items()} == {
        "epochs": 5,
        "lr": 0.001,
        "name": "x, y=z",
    }


def test_no_text_gives_no_hyperparameters() -> None:
    assert parse_hyperparams(" ") == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epochs", "'epochs'"),
        ("a=1,b", "'b'"),
        ("a=1,,b=2", "empty"),
        ("a=1,", "empty"),
        ("list=[1,2]", "'2]'"),
        ('name="open', "'name=\"open'"),
        ('name="a"b', "'name=\"a\"b'"),
        ("5x=1", "'5x'"),
        ("a b=1", "'a b'"),
        ("=1", "''"),
    ],
)
def test_a_malformed_item_is_named(text: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_hyperparams(text)
    assert named in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["lr=1,lr=2", "batch_size=1,batch-size=2"])
def test_a_key_given_twice_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"(lr|batch-size)' is given twice"):
        parse_hyperparams(text)


def test_a_later_layer_overrides_by_argument_name() -> None:
    merged = merge_hyperparams(
        parse_hyperparams("lr=1,batch_size=8"), parse_hyperparams("batch-size=16,seed=1")
    )
    assert to_arguments(merged) == ["--lr=1", "--batch-size=16", "--seed=1"]


def test_arguments_keep_the_text_that_was_typed() -> None:
    params = parse_hyperparams('lr=1e-3,max_steps=010,optimizer.name=adam,note="a b",w=-1e-3')
    assert to_arguments(params) == [
        "--lr=1e-3",
        "--max-steps=010",
        "--optimizer.name=adam",
        "--note=a b",
        "--w=-1e-3",
    ]


def test_argparse_takes_what_to_arguments_gives() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--amp", action=argparse.BooleanOptionalAction)
    parser.add_argument("--cache", action=argparse.BooleanOptionalAction)
    parser.add_argument("--name")
    params = parse_hyperparams("weight_decay=-1e-3,amp=true,cache=false,name=--x")
    found = parser.parse_args(to_arguments(params))
    assert vars(found) == {"weight_decay": -1e-3, "amp": True, "cache": False, "name": "--x"}


def test_a_quoted_truth_stays_a_value() -> None:
    assert to_arguments(parse_hyperparams('flag="true"')) == ["--flag=true"]


def test_a_toml_file_keeps_types_and_digits() -> None:
    found = parse_hyperparams_toml(
        'lr = 1e-3\nn = 1_000\nname = "5"\namp = true\nx = inf', "p.toml"
    )
    assert to_arguments(found) == ["--lr=1e-3", "--n=1000", "--name=5", "--amp", "--x=inf"]
    assert found["lr"].value == 0.001
    assert found["name"].value == "5"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[model]\nlayers = 2", "'model' in p.toml is a table"),
        ("sizes = [1]", "'sizes' in p.toml is a list"),
        ("day = 2024-01-01", "'day' in p.toml is a date"),
        ('"a b" = 1', "'a b'"),
        ("a_b = 1\na-b = 2", "'a-b' is given twice"),
        ("a = \nb = 1", "p.toml is not valid TOML: .*line 1"),
    ],
)
def test_a_toml_file_with_anything_else_is_refused(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse_hyperparams_toml(text, "p.toml")


def test_a_table_takes_values_that_are_typed_already() -> None:
    typed = Hyperparameter(0.001, "1e-3")
    assert read_hyperparams_table({"lr": typed}, "flags") == {"lr": typed}
