"""What IAM's things have in common: names, ids, ARNs, tags, and what AWS says of bad ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

from runctl.localcloud.api import Call
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MOST_TAGS = 50


class Noun(NamedTuple):
    """A kind of thing: its records, its ids, its errors."""

    kind: str
    prefix: str
    member: str
    """The parameter that names it."""
    missing: str
    taken: str


ROLE = Noun(
    "role", "AROA", "RoleName", "The role with name {} cannot be found.",
    "Role with name {} already exists.",
)  # fmt: skip
USER = Noun(
    "user", "AIDA", "UserName", "The user with name {} cannot be found.",
    "User with name {} already exists.",
)  # fmt: skip
PROFILE = Noun(
    "instance-profile", "AIPA", "InstanceProfileName", "Instance Profile {} cannot be found.",
    "Instance Profile {} already exists.",
)  # fmt: skip


def new_id(prefix: str) -> str:
    """Make an id in IAM's form: a prefix that tells the kind, and 17 letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(17))


def arn_of(call: Call, kind: str, path: str, name: str) -> str:
    """Return the ARN of a thing."""
    return f"arn:aws:iam::{call.cloud.account}:{kind}{path}{name}"


def begin(call: Call, noun: Noun) -> Record:
    """Return the members that a new thing of any kind has; raise if its name is taken."""
    name, path = check_name(call, noun.member), check_path(call)
    if _same_name(call, noun, name):
        raise AwsError("EntityAlreadyExists", noun.taken.format(name), 409)
    return {
        "Path": path,
        noun.member: name,
        f"{noun.member[:-4]}Id": new_id(noun.prefix),
        "Arn": arn_of(call, noun.kind, path, name),
        "CreateDate": call.cloud.clock(),
        "Tags": merge_tags([], call.get("Tags", [])),
    }


def _same_name(call: Call, noun: Noun, name: str) -> bool:
    """Whether a thing has this name; names differ by more than case."""
    return any(name.lower() == known.lower() for known, _ in call.table(noun.kind, "").items())


def check_name(call: Call, member: str) -> str:
    """Return a name that was given, or raise what AWS says of it."""
    name = str(call.get(member))
    if not re.fullmatch(r"[\w+=,.@-]+", name, re.ASCII):
        raise AwsError(
            "ValidationError",
            f"The specified value for {member[:1].lower() + member[1:]} is invalid. It must "
            "contain only alphanumeric characters and/or the following: +=,.@_-",
        )
    return name


def check_path(call: Call) -> str:
    """Return the path that was given, or ``/``."""
    path = str(call.get("Path", "/"))
    if not re.fullmatch(r"/|/[!-~]+/", path):
        raise AwsError(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain "
            "only alphanumeric characters and/or / characters.",
        )
    return path


def find(call: Call, noun: Noun, name: str | None = None) -> Record:
    """Return a thing to read, by the name that the call gives unless another is named."""
    wanted = check_name(call, noun.member) if name is None else name
    record = call.table(noun.kind, "").get(wanted)
    if record is None:
        raise missing(noun.missing, wanted)
    return record


def edit(call: Call, noun: Noun) -> Record:
    """Return a thing to change, by the name that the call gives."""
    return call.table(noun.kind, "").edit(find(call, noun)[noun.member])


def missing(words: str, *names: str) -> AwsError:
    """Make the error of a thing that there is not."""
    return AwsError("NoSuchEntity", words.format(*names), 404)


def conflict(words: str) -> AwsError:
    """Make the error of a thing that has something on it."""
    return AwsError("DeleteConflict", words, 409)


def limit(words: str) -> AwsError:
    """Make the error of one too many."""
    return AwsError("LimitExceeded", words, 409)


def merge_tags(old: Iterable[dict[str, Any]], new: Iterable[dict[str, Any]]) -> list[Record]:
    """Return tags with others put over them; a key differs by more than case."""
    tags = {tag["Key"].lower(): tag for tag in old}
    given = [tag["Key"].lower() for tag in new]
    if len(given) != len(set(given)):
        raise AwsError(
            "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case "
            "insensitive.",
        )  # fmt: skip
    for tag in new:
        if tag["Key"].lower().startswith("aws:"):
            raise AwsError("InvalidInput", "Tag keys may not start with aws:")
        tags[tag["Key"].lower()] = {"Key": tag["Key"], "Value": tag["Value"]}
    if len(tags) > _MOST_TAGS:
        raise limit(f"The number of tags has reached the maximum limit of {_MOST_TAGS}.")
    return list(tags.values())
