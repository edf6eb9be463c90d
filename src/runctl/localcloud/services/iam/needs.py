"""What an operation needs: which actions, on which resources, with which condition keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource."""

    action: str
    resource: str = "*"
    context: Values = field(default_factory=dict)


def plain(call: Call) -> Need:
    """Return the need of an operation that has no resources of its own."""
    return Need(f"{call.service}:{call.operation}")


def tags_on(record: Record | None, *prefixes: str) -> dict[str, Sequence[str]]:
    """Return the keys that tell of the tags of a resource."""
    tags = (record or {}).get("Tags") or ()
    names = ("aws:resourcetag", *prefixes)
    return {f"{name}/{tag['Key'].lower()}": [tag["Value"]] for tag in tags for name in names}


def tags_in(tags: Iterable[Mapping[str, Any]], keys: Iterable[str] = ()) -> dict[str, Any]:
    """Return the keys that tell of the tags in a request: those given, or those taken away."""
    given = {tag.get("Key", ""): tag.get("Value", "") for tag in tags}
    context: dict[str, Any] = {f"aws:requesttag/{key.lower()}": [given[key]] for key in given}
    names = [*given, *keys]
    return context | ({"aws:tagkeys": names} if names else {})


def listed(value: Any) -> Iterator[str]:
    """Yield one text, or several, or none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
