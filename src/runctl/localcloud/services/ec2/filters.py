"""Filters of the describing calls: names from a table, values with ``*`` and ``?``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

Filter = Callable[[Record], Iterable[object]]
"""Returns the values of a record under a filter's name; one of them has to match."""


def path(*names: str) -> Filter:
    """Return what finds a member by names; lists on the way are all looked into."""

    def find(record: Record) -> list[object]:
        found: list[Any] = [record]
        for name in names:
            found = [item for one in found for item in _step(one, name)]
        return found

    return find


def _step(record: Any, name: str) -> list[Any]:
    value = record.get(name) if isinstance(record, dict) else None
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def apply(
    known: Mapping[str, Filter], wanted: Iterable[Mapping[str, Any]] | None, records: list[Record]
) -> list[Record]:
    """Return the records that match every filter; an unknown name is AWS's own error."""
    for one in wanted or ():
        name, values = one.get("Name", ""), one.get("Values")
        if not values:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' has no values")
        find = _finder(known, name)
        patterns = [_pattern(value) for value in values]
        records = [
            record
            for record in records
            if any(pattern(_text(value)) for value in find(record) for pattern in patterns)
        ]
    return records


def _finder(known: Mapping[str, Filter], name: str) -> Filter:
    if name.startswith("tag:"):
        key = name[4:]
        return lambda record: [t["Value"] for t in record.get("Tags", ()) if t["Key"] == key]
    if name == "tag-key":
        return path("Tags", "Key")
    if name == "tag-value":
        return path("Tags", "Value")
    if name not in known:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return known[name]


@lru_cache(maxsize=512)
def _pattern(value: str) -> Callable[[str], object]:
    if not re.search(r"[*?\\]", value):
        return value.__eq__
    parts = re.findall(r"\\.|[*?]|[^*?\\]+|\\", value)
    wild = {"*": ".*", "?": "."}
    text = "".join(wild.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    return re.compile(text, re.DOTALL).fullmatch


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
