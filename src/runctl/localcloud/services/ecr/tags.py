"""Tags of repositories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ecr.errors import invalid
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MOST = 50


def merge(old: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """Return tags with others put over them; raise for what AWS does not take."""
    tags = {tag["Key"]: tag["Value"] for tag in old}
    for tag in new:
        if tag["Key"].lower().startswith("aws:"):
            raise AwsError(
                "InvalidTagParameterException",
                "Invalid parameter at 'tags' failed to satisfy constraint: 'aws: prefixed tag key "
                "names are not allowed for external use'",
            )
        tags[tag["Key"]] = tag.get("Value", "")
    if len(tags) > _MOST:
        raise AwsError("TooManyTagsException", f"A resource has at most {_MOST} tags.")
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@operation("ecr", "TagResource")
def tag_resource(call: Call) -> None:
    """Put tags on a repository."""
    record = call.table("repository").edit(_name(call))
    record["Tags"] = merge(record["Tags"], call.get("tags"))


@operation("ecr", "UntagResource")
def untag_resource(call: Call) -> None:
    """Take tags away, by key."""
    record = call.table("repository").edit(_name(call))
    record["Tags"] = [tag for tag in record["Tags"] if tag["Key"] not in call.get("tagKeys")]


@operation("ecr", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """List the tags of a repository."""
    found = call.table("repository").get(_name(call)) or {}
    return {"tags": found.get("Tags", [])}


def _name(call: Call) -> str:
    """Return the name of the repository whose ARN is given."""
    arn = str(call.get("resourceArn"))
    prefix = f"arn:aws:ecr:{call.region}:{call.cloud.account}:repository/"
    if not arn.startswith("arn:aws:ecr:"):
        raise invalid("resourceArn", "Invalid ARN")
    name = arn.removeprefix(prefix)
    if name not in call.table("repository"):
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{arn.partition(':repository/')[2]}' does not exist in the "
            f"registry with id '{call.cloud.account}'",
        )
    return name
