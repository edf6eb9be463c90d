"""Filters of parameters: which keys there are, how they compare, and what is a path."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_KEYS = ("Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType")
_OPTIONS = ("Equals", "BeginsWith", "Contains")


def matching(
    found: list[Record],
    wanted: list[dict[str, Any]] | None,
    allowed: Collection[str] = _KEYS,
) -> list[Record]:
    """Return the parameters that match every filter; an unknown key or option is an error."""
    for one in wanted or []:
        _check(one, allowed)
        found = [parameter for parameter in found if _matches(parameter, one)]
    return found


def _check(wanted: dict[str, Any], allowed: Collection[str]) -> None:
    key = wanted["Key"]
    is_tag = key.startswith("tag:") and allowed is _KEYS
    if not is_tag and key not in allowed:
        raise AwsError(
            "InvalidFilterKey",
            f"The following filter key is not valid: {key}. Valid filter keys include: "
            f"[{', '.join(allowed)}].",
        )
    option = wanted.get("Option", _default(key))
    options = ("OneLevel", "Recursive") if key == "Path" else _OPTIONS
    if option not in options:
        raise AwsError(
            "InvalidFilterOption",
            f"The following filter option is not valid: {option}. Valid options include: "
            f"[{', '.join(options)}].",
        )


def _default(key: str) -> str:
    return "OneLevel" if key == "Path" else "Equals"


def _matches(found: Record, wanted: dict[str, Any]) -> bool:
    key, values = wanted["Key"], wanted.get("Values", [])
    option = wanted.get("Option", _default(key))
    if key == "Path":
        folders = [check_path(value) for value in values]
        return any(_is_below(found["Name"], one, option == "Recursive") for one in folders)
    own = _values(found, key)
    if not values:
        return bool(own)
    return any(_compare(one, value, option) for one in own for value in values)


def _values(found: Record, key: str) -> list[str]:
    if key.startswith("tag:"):
        return [one["Value"] for one in found.get("Tags", []) if one["Key"] == key[4:]]
    if key == "Label":
        return list(found.get("Labels", []))
    value = found.get(key)
    return [] if value is None else [str(value)]


def _compare(own: str, value: str, option: str) -> bool:
    if option == "BeginsWith":
        return own.startswith(value)
    return value in own if option == "Contains" else own == value


def _is_below(name: str, folder: str, is_recursive: bool) -> bool:
    rest = name.removeprefix(folder)
    return name.startswith(folder) and (is_recursive or "/" not in rest)


def check_path(path: str) -> str:
    """Return a path with a slash at its end; raise what AWS says of one that is none."""
    if path != "/" and not re.fullmatch(r"(/[A-Za-z0-9._-]+)+/?", path):
        raise AwsError(
            "ValidationException",
            "The parameter doesn't meet the parameter name requirements. The parameter name must "
            'begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" '
            "(case-insensitive). It must use only letters, numbers, or the following symbols: . "
            "(period), - (hyphen), _ (underscore). Special characters are not allowed. All "
            'sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
            "/get/parameters2-/by1./path0_.",
        )
    return path.rstrip("/") + "/"
