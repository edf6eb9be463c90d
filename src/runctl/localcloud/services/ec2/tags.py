"""Tags: on what is created, later, and by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import NOUNS, Noun, find
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.wire.errors import AwsError

Tag = dict[str, str]
_MOST = 50


def tags_for(call: Call, noun: Noun) -> list[Tag]:
    """Return the tags that a creating call gives to things of one kind."""
    return tags_in(call.get("TagSpecifications", []), noun)


def tags_in(specifications: Iterable[dict[str, Any]], noun: Noun) -> list[Tag]:
    """Return the tags that specifications give to things of one kind; the last of a key counts."""
    allowed = {n.kind for n in NOUNS} | {"capacity-reservation"}
    found: list[Tag] = []
    for specification in specifications:
        kind = specification.get("ResourceType", noun.kind)
        if kind not in allowed:
            raise AwsError(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type."
            )
        if kind == noun.kind:
            found = merge(found, specification.get("Tags", []))
    return found


def merge(old: Iterable[Tag], new: Iterable[dict[str, Any]]) -> list[Tag]:
    """Return tags with others put over them; raise for what AWS does not take."""
    tags, given = {tag["Key"]: tag["Value"] for tag in old}, set[str]()
    for tag in new:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        _check(key, value)
        if key in given:
            raise AwsError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        given.add(key)
        tags[key] = value
    if sum(not _is_of_aws(key) for key in tags) > _MOST:
        raise AwsError("TagLimitExceeded", f"The maximum number of Tags for a resource is {_MOST}.")
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _is_of_aws(key: str) -> bool:
    return key.lower().startswith("aws:")


def _check(key: str, value: str) -> None:
    if not key or len(key) > 127:
        raise AwsError(
            "InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters"
        )
    if len(value) > 255:
        raise AwsError(
            "InvalidParameterValue", "Tag value exceeds the maximum length of 255 characters"
        )
    if _is_of_aws(key):
        raise AwsError(
            "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
        )


@operation("ec2", "CreateTags")
def create_tags(call: Call) -> None:
    """Put tags on things of any kind."""
    for noun, ident in _resources(call):
        changed = call.table(noun.kind).edit(ident)
        changed["Tags"] = merge(changed.get("Tags", []), call.get("Tags", []))


@operation("ec2", "DeleteTags")
def delete_tags(call: Call) -> None:
    """Take tags away: by key, or by key and value; all, where none is named."""
    for noun, ident in _resources(call):
        changed = call.table(noun.kind).edit(ident)
        kept = [tag for tag in changed.get("Tags", []) if not _is_named(tag, call.get("Tags"))]
        changed["Tags"] = kept


def _is_named(tag: Tag, wanted: list[dict[str, str]] | None) -> bool:
    if wanted is None:  # all of the user's own
        return not _is_of_aws(tag["Key"])
    return any(
        tag["Key"] == one["Key"] and one.get("Value", tag["Value"]) == tag["Value"]
        for one in wanted
    )


@operation("ec2", "DescribeTags")
def describe_tags(call: Call) -> dict[str, Any]:
    """List tags with what they are on."""
    found = [
        {"ResourceId": ident, "ResourceType": noun.kind, **tag}
        for noun in NOUNS
        for ident, record in call.table(noun.kind).items()
        for tag in record.get("Tags", [])
    ]
    return page(call, "Tags", apply(_FILTERS, call.get("Filters"), found), sort_by="ResourceId")


_FILTERS: dict[str, Filter] = {
    "key": path("Key"),
    "value": path("Value"),
    "resource-id": path("ResourceId"),
    "resource-type": path("ResourceType"),
}


def _resources(call: Call) -> list[tuple[Noun, str]]:
    return [(_noun_of(call, ident), ident) for ident in call.get("Resources", [])]


def _noun_of(call: Call, ident: str) -> Noun:
    for noun in NOUNS:
        if ident.startswith(f"{noun.prefix}-"):
            find(call, noun, ident)
            return noun
    raise AwsError("InvalidID", f"The ID '{ident}' is not valid")
