"""Making things as they should be, until AWS says that they are: the one place that waits for IAM.

What was just made may be unknown for seconds, and what another owner writes at the same time may
undo what we wrote: so each part is looked at again after it was changed, and changed again if need
be. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html (eventual consistency)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runctl.errors import ProviderError, RunctlError

_PAUSES_S = (0.0, 0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
# Not yet there, already there, still there, or changed by another just now.
_SOON = frozenset({
    "NoSuchEntity", "EntityAlreadyExists", "EntityTemporarilyUnmodifiable",
    "ConcurrentModification", "DeleteConflict",
    "NoSuchBucket", "BucketAlreadyOwnedByYou", "OperationAborted",
    "InvalidGroup.NotFound", "InvalidGroup.Duplicate", "InvalidPermission.Duplicate",
    "InvalidSecurityGroupRuleId.NotFound", "DependencyViolation",
})  # fmt: skip


@dataclass(frozen=True)
class Change:
    """``told`` says it in few words, such as ``made``."""

    told: str
    make: Callable[[], object]


class Part(Protocol):
    """One thing of a set-up."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def examine(self) -> Sequence[Change]:
        """Return what has to change, in this order; RefusedError for what is not ours."""
        ...


def settle(part: Part, pauses_s: Sequence[float] = _PAUSES_S) -> tuple[str, ...]:
    """Change a part until it is as it should be; return what was changed, each once."""
    made: dict[str, None] = {}
    late: RunctlError | None = None
    for pause_s in pauses_s:
        time.sleep(pause_s)
        try:
            changes = part.examine()
            if not changes:
                return tuple(made)
            for change in changes:
                change.make()
                made[change.told] = None
        except RunctlError as error:
            if error.details.get("aws_code") not in _SOON:
                raise
            late = error
    raise late or ProviderError(
        f"{part.kind} {part.name} was changed, and is still not as it should be",
        hint="runctl aws setup --dry-run",
        changed=list(made),
    )
