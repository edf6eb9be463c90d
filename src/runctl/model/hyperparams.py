"""Hyperparameters: ``epochs=5,lr=1e-3,name="a,b"`` to typed values, and to arguments.

A value keeps its type, for records and comparisons, and its text, so that the script gets
``1e-3`` where the user typed ``1e-3``.

Grammar: ``key=value`` items with commas between. A value is a whole number, a number,
``true``/``false``, or text. Text that holds commas, or that must stay text (``"5"``), stands in
double quotes (escapes ``\\" \\\\ \\n \\t \\r``) or single quotes (no escapes).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping

import msgspec

from runctl.errors import UsageError

Scalar = bool | int | float | str

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_ITEM = re.compile(
    r"""\s*(?P<key>[^=,]*?)\s*=\s*
        (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)' | (?P<bare>[^,"'][^,]*|) )
        \s*(?P<end>,|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?(?=[0-9]*[.eE])([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS: dict[str, bool] = {"true": True, "True": True, "false": False, "False": False}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class Hyperparameter(msgspec.Struct, frozen=True):
    """One value: what it is, and how the user wrote it (without quotes)."""

    value: bool | int | float | str
    text: str


Hyperparameters = dict[str, Hyperparameter]


def parse_hyperparams(text: str) -> Hyperparameters:
    """Read ``key=value,key=value``; empty text gives none.

    Raises UsageError naming the item or key that is malformed or given twice.
    """
    params: Hyperparameters = {}
    start, is_more = 0, bool(text.strip())
    while is_more:
        item = _ITEM.match(text, start)
        if item is None:
            raise _malformed(text[start:])
        _add(params, item["key"], _read_value(item))
        start, is_more = item.end(), item["end"] == ","
    return params


def _read_value(item: re.Match[str]) -> Hyperparameter:
    if item["double"] is not None:
        text = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), item["double"])
        return Hyperparameter(text, text)
    if item["single"] is not None:
        return Hyperparameter(item["single"], item["single"])
    text = item["bare"].rstrip()
    return Hyperparameter(_read_scalar(text), text)


def _read_scalar(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    # "inf", "nan" and numbers beyond 64 bits have no faithful JSON form: they stay text.
    if _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _malformed(rest: str) -> UsageError:
    item = rest.split(",", maxsplit=1)[0].strip()
    what = f"hyperparameter {item!r}" if item else "an empty hyperparameter (a comma too many)"
    return UsageError(
        f"{what} is not of the form key=value",
        hint='separate items with commas, and quote text that holds one: name="a,b"',
        item=item,
    )


def _add(params: Hyperparameters, key: str, value: Hyperparameter) -> None:
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"hyperparameter key {key!r} is malformed",
            hint="a key starts with a letter or _, and goes on with letters, digits, _ . or -",
            key=key,
        )
    twin = _find_twin(params, key)
    if twin is not None:
        also = "" if twin == key else f" (as {twin!r} and {key!r}, which are one argument)"
        raise UsageError(f"hyperparameter {key!r} is given twice{also}", key=key)
    params[key] = value


def _find_twin(params: Mapping[str, Hyperparameter], key: str) -> str | None:
    """The key that becomes the same argument: ``batch_size`` and ``batch-size`` are one."""
    if key in params:
        return key
    return next((k for k in params if _argument_name(k) == _argument_name(key)), None)


def merge_hyperparams(*layers: Mapping[str, Hyperparameter]) -> Hyperparameters:
    """All layers in one; a later layer overrides an earlier one, key by key."""
    merged: Hyperparameters = {}
    for layer in layers:
        for key, value in layer.items():
            twin = _find_twin(merged, key)
            if twin is not None and twin != key:
                del merged[twin]
            merged[key] = value
    return merged


def read_hyperparams_table(table: Mapping[str, object], source: str) -> Hyperparameters:
    """Take a parsed flat table, such as a TOML file's; ``source`` is named in errors.

    Raises UsageError on a malformed or doubled key, a nested table, a list or a date.
    """
    params: Hyperparameters = {}
    for key, value in table.items():
        _add(params, key, _take_scalar(key, value, source))
    return params


def _take_scalar(key: str, value: object, source: str) -> Hyperparameter:
    if isinstance(value, Hyperparameter):
        return value
    if isinstance(value, bool):
        return Hyperparameter(value, str(value).lower())
    if isinstance(value, int | float):
        return Hyperparameter(_read_scalar(str(value)), str(value))
    if isinstance(value, str):
        return Hyperparameter(value, value)
    kind = "a table" if isinstance(value, dict) else f"a {type(value).__name__}"
    raise UsageError(
        f"hyperparameter {key!r} in {source} is {kind}, not a number, true, false or text",
        hint=f'write nested names as one quoted key: "{key}.name" = …',
        key=key,
    )


def parse_hyperparams_toml(text: str, source: str) -> Hyperparameters:
    """Read a ``@params.toml`` file's text: flat, one ``key = value`` a line.

    Raises UsageError naming ``source`` and line, or the key.
    """
    try:
        table = tomllib.loads(text, parse_float=_take_float)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not valid TOML: {error}") from error
    return read_hyperparams_table(table, source)


def _take_float(text: str) -> Hyperparameter:
    """Keep the digits as they were typed: ``1e-3`` stays ``1e-3``."""
    return Hyperparameter(_read_scalar(text.replace("_", "")), text.replace("_", ""))


def format_hyperparams(params: Mapping[str, Hyperparameter]) -> str:
    """One line that ``parse_hyperparams`` reads back as the same values and texts."""
    return ",".join(f"{key}={_quote(param)}" for key, param in params.items())


def _quote(param: Hyperparameter) -> str:
    text = param.text
    bare = _read_scalar(text)
    is_same = type(bare) is type(param.value) and bare == param.value
    if is_same and text == text.strip() and not re.search(r"[,\"']", text):
        return text
    for char, escape in (("\\", r"\\"), ('"', r"\""), ("\n", r"\n"), ("\t", r"\t"), ("\r", r"\r")):
        text = text.replace(char, escape)
    return f'"{text}"'


def to_arguments(params: Mapping[str, Hyperparameter]) -> list[str]:
    """``--kebab-case=value`` for each, in order.

    ``true`` becomes ``--flag`` and ``false`` ``--no-flag``; quoted ``"true"`` stays a value. The
    form with ``=`` is the one in which argparse, click and absl take a value that starts with a
    dash, such as ``-1e-3``.
    """
    return [_to_argument(key, param) for key, param in params.items()]


def _to_argument(key: str, param: Hyperparameter) -> str:
    name = _argument_name(key)
    if param.value is True:
        return f"--{name}"
    if param.value is False:
        return f"--no-{name}"
    return f"--{name}={param.text}"


def _argument_name(key: str) -> str:
    return key.replace("_", "-")
