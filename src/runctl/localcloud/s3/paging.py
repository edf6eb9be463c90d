"""Pages of keys in order, those with the same beginning told as one; and what pages share."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote

from runctl.localcloud.s3.errors import bad_argument

MOST = 1000
LAST = "\U0010ffff" * 256
"""No key is as long: none is after one that this was added to, and begins with that one."""
Row = TypeVar("Row")


@dataclass(slots=True)
class Page(Generic[Row]):
    """What was found. ``last``: the row or the common prefix to go on after; None at the end."""

    limit: int
    found: list[Row] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: Row | str | None = None

    def __len__(self) -> int:
        return len(self.found) + len(self.prefixes)


def fold(
    rows: Iterable[Row],
    key_of: Callable[[Row], str],
    query: Mapping[str, str],
    *,
    limit: int,
    marker: str = "",
) -> Page[Row]:
    """Make a page of rows; a marker that is a common prefix itself was told already."""
    page: Page[Row] = Page(limit)
    last: Row | str | None = None
    for row in rows if limit else ():
        common = common_prefix(key_of(row), query)
        if common is not None and common in (marker, last):
            continue
        if len(page) == limit:
            page.last = last
            break
        if common is None:
            page.found.append(row)
        else:
            page.prefixes.append(common)
        last = row if common is None else common
    return page


def common_prefix(key: str, query: Mapping[str, str]) -> str | None:
    """Return what a key is told as, together with others; None where it is told itself."""
    delimiter = query.get("delimiter")
    if not delimiter:
        return None
    end = key.find(delimiter, len(query.get("prefix", "")))
    return key[: end + len(delimiter)] if end >= 0 else None


# ---------------------------------------------------------------- limits, markers, coding


def limit_of(query: Mapping[str, str], name: str = "max-keys", most: int = MOST) -> int:
    """Return how much a page may hold."""
    text = query.get(name, str(most))
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        words = f"Provided {name} not an integer or within integer range"
        raise bad_argument(name, text, words)
    return min(int(text), most)


def encoder(query: Mapping[str, str]) -> Callable[[str], str]:
    """Return how keys are told, as the client has asked."""
    coding = query.get("encoding-type")
    if coding is None:
        return str  # what no document may contain is left to its writer
    if coding != "url":
        raise bad_argument("encoding-type", coding, "Invalid Encoding Method specified in Request")
    return lambda text: quote(text, safe="/*-._")


def seal(last: str) -> str:
    """Return the token with which what comes after a place is asked for."""
    return base64.urlsafe_b64encode(b"1" + last.encode()).decode()


def open_token(token: str) -> str:
    """Return after which place the page of a token begins."""
    try:
        data = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        if data[:1] != b"1":
            raise ValueError(token)
        return data[1:].decode()
    except ValueError as error:
        words = "The continuation token provided is incorrect"
        raise bad_argument("continuation-token", token, words) from error
