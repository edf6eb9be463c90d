"""From TOML or text to typed values, and back. What does not fit raises BadValue."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec

from runctl.config.schema import Key
from runctl.errors import UsageError
from runctl.model.hyperparams import (
    Hyperparameter,
    format_hyperparams,
    parse_hyperparams,
    read_hyperparams_table,
)
from runctl.model.quantities import format_duration, format_size, parse_duration, parse_size

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True}
_FALSEHOODS = {"false": False, "no": False, "off": False, "0": False}
_WORDS = _TRUTHS | _FALSEHOODS
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_EXPECTED = {
    "text": "text",
    "boolean": "true or false",
    "integer": "a whole number, {minimum} or more",
    "duration": "a duration such as 30s or 1h30m",
    "size": "a size such as 512MiB or 100G",
    "list": "a list of texts",
    "table": "a table of names and texts",
    "hyperparams": "a flat table of numbers, true, false and text",
}


class BadValue(ValueError):
    """A value is not what its key takes; the message says what is expected."""


def describe_expected(key: Key) -> str:
    """Half a sentence for "expected …"."""
    choices = " or ".join(f'"{choice}"' for choice in key.choices)
    return (choices or _EXPECTED[key.kind].format(minimum=key.minimum)) + (
        ', or "none"' if key.is_optional else ""
    )


def convert(key: Key, raw: object) -> object:
    """The typed value of what a TOML file or a caller gave.

    Raises BadValue saying what was expected and found.
    """
    if key.is_optional and raw in (None, "none"):
        return None
    try:
        return _CONVERTERS[key.kind](key, raw)
    except (BadValue, UsageError) as error:
        detail = str(error) or f"found {_describe(raw)}"
        raise BadValue(f"expected {describe_expected(key)}; {detail}") from error


def _describe(raw: object) -> str:
    if isinstance(raw, str):
        return f'the text "{raw}"'
    if isinstance(raw, int | float):
        return str(raw).lower()
    if isinstance(raw, list | tuple):
        return "a list"
    return "a table" if isinstance(raw, dict) else f"a {type(raw).__name__}"


def _take_text(key: Key, raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise BadValue
    if key.choices and raw not in key.choices:
        raise BadValue
    return raw


def _take_boolean(_: Key, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise BadValue
    return raw


def _take_integer(key: Key, raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < key.minimum:
        raise BadValue
    return raw


def _take_duration(_: Key, raw: object) -> timedelta:
    if isinstance(raw, timedelta) and raw >= timedelta():
        return raw
    if not isinstance(raw, str):
        raise BadValue
    return parse_duration(raw)


def _take_size(key: Key, raw: object) -> int:
    return parse_size(raw) if isinstance(raw, str) else _take_integer(key, raw)


def _take_list(key: Key, raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise BadValue
    for item in raw:
        if not isinstance(item, str):
            raise BadValue(f"found {_describe(item)} in the list")
        if key.field == "secrets":
            _check_variable(item)
    return tuple(raw)


def _take_table(_: Key, raw: object) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise BadValue
    table: dict[str, str] = {}
    for name, value in raw.items():
        _check_variable(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or "\0" in str(value):
            raise BadValue(f"found {_describe(value)} for {name}")
        table[name] = str(value)
    return table


def _check_variable(name: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise BadValue(f'"{name}" is not the name of an environment variable')


def _take_hyperparams(key: Key, raw: object) -> dict[str, Hyperparameter]:
    if not isinstance(raw, Mapping):
        raise BadValue
    return read_hyperparams_table(raw, key.name)


_CONVERTERS: dict[str, Callable[[Key, object], object]] = {
    "text": _take_text,
    "choice": _take_text,
    "boolean": _take_boolean,
    "integer": _take_integer,
    "duration": _take_duration,
    "size": _take_size,
    "list": _take_list,
    "table": _take_table,
    "hyperparams": _take_hyperparams,
}


def read_text(key: Key, text: str) -> object:
    """What a variable or ``config set`` gives, as a TOML file would: ``convert`` comes next.

    Lists are separated by commas, tables are ``name=value,name=value``. Empty text is ``none``, no
    entries, or wrong. Raises BadValue.
    """
    if key.is_optional and text in ("", "none"):
        return None
    if key.kind == "boolean":
        return _WORDS.get(text.strip().lower(), text)
    if key.kind == "integer" and re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        return int(text)
    if key.kind == "list":
        return _read_list(text)
    return _read_table(key, text) if key.is_table else text


def _read_list(text: str) -> object:
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return tomllib.loads(f"list = {text}")["list"]
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"expected a list; {error}") from error


def _read_table(key: Key, text: str) -> object:
    try:
        params = parse_hyperparams(text)
    except UsageError as error:
        raise BadValue(f"expected name=value,name=value; {error.message}") from error
    if key.kind == "hyperparams":
        return params
    return {name: param.text for name, param in params.items()}


def to_plain(value: object) -> object:
    """The value as JSON and TOML have it; ``convert`` takes it back."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {name: to_plain(entry) for name, entry in value.items()}
    return value.value if isinstance(value, Hyperparameter) else value


def to_toml(key: Key, value: object) -> str:
    """The line of a TOML file that sets the key; for a table, an empty one."""
    if key.is_table:
        return f"[{key.name}]"
    if isinstance(value, bool | int) and key.kind != "size":
        return f"{key.field} = {to_text(key, value)}"
    text = list(value) if isinstance(value, tuple) else to_text(key, value)
    return f"{key.field} = {msgspec.json.encode(text).decode()}"


def to_text(key: Key, value: object) -> str:
    """The value on one line; ``read_text`` takes it back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if key.kind == "size" and isinstance(value, int):
        text = format_size(value)
        return text if parse_size(text) == value else f"{value}B"
    if isinstance(value, dict):
        return format_hyperparams(read_hyperparams_table(value, key.name))
    return _list_to_text(value) if isinstance(value, tuple) else str(to_plain(value))


def _list_to_text(items: tuple[str, ...]) -> str:
    is_plain = all(item and item == item.strip() and not set(item) & set(",[") for item in items)
    # A JSON list is a TOML list, but for the one control character that JSON takes as it is.
    as_list = msgspec.json.encode(items).decode().replace("\x7f", "\\u007f")
    return ",".join(items) if is_plain else as_list
