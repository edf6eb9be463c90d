"""The error tree: what scripts rely on."""

from __future__ import annotations

import inspect

import pytest

from runctl import errors
from runctl.errors import RunctlError
from scripts import errors_reference

# DESIGN, "Conventions of the command line": the exit codes, and no others.
EXIT_CODES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23, 24, 75, 130}
CLASSES = [
    one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, RunctlError)
]


def test_each_exit_code_has_an_error() -> None:
    assert {one.exit_code for one in CLASSES} == EXIT_CODES


def test_codes_are_unique() -> None:
    codes = [one.code for one in CLASSES]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_each_class_names_itself(one: type[RunctlError]) -> None:
    assert "code" in vars(one), "a class without a code of its own cannot be told apart"
    assert one.code.replace("-", "").islower()
    assert inspect.getdoc(one) != inspect.getdoc(one.__mro__[1])
    assert one.__doc__
    assert one.__doc__.endswith(".")


def test_message_hint_and_details_are_data() -> None:
    error = errors.RunNotFound("no run is called x", hint="runctl runs", name="x")
    assert (str(error), error.hint, error.details) == (
        "no run is called x",
        "runctl runs",
        {"name": "x"},
    )


def test_the_reference_is_current() -> None:
    written = errors_reference.PAGE.read_text()
    assert written == errors_reference.page(), "type: make errors-reference"
