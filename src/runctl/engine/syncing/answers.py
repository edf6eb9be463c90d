"""What an instance answers that is no success, as the error that the user can act on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from runctl.errors import (
    CapacityError,
    ConflictError,
    RunctlError,
    SnapshotMismatch,
    TransportError,
    TryAgain,
    UnsafePath,
)

if TYPE_CHECKING:
    from runctl.engine.syncing.moving import Place

SHOWN = 3


def refusal(answer: dict[str, Any], place: Place) -> RunctlError:
    """Return the error; nothing there has changed."""
    where, again = f"{answer['root']} on {place.instance_id}", f"runctl sync {place.reference}"
    if answer["kind"] == "conflict":
        return _conflict(answer, where, place)
    path, told = answer.get("path"), answer.get("message", "the connection was cut")
    kinds: dict[str, tuple[type[RunctlError], str, str]] = {
        "other": (
            ConflictError,
            f"{where} holds another project, {answer.get('project')}; nothing was changed",
            f"name another folder: {again} FOLDER",
        ),
        "busy": (TryAgain, f"another sync of {where} goes on", again),
        "full": (
            CapacityError,
            f"no room in {where}: {told}; nothing was changed",
            f"runctl ssh {place.reference} -- df -h",
        ),
        "hostile": (UnsafePath, f"{path!r} leads out of {where}; nothing was changed", again),
        "damaged": (
            SnapshotMismatch,
            f"{path or 'what was sent'} did not arrive in {where}; nothing was changed",
            again,
        ),
    }
    usual = (TransportError, f"{where} cannot be written: {told}", again)
    kind, message, hint = kinds.get(answer["kind"], usual)
    return kind(message, hint=hint)


def _conflict(answer: dict[str, Any], where: str, place: Place) -> ConflictError:
    paths = answer["paths"]
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    told = f"{', '.join(paths[:SHOWN])}{more} in {where}"
    if answer["is_blocked"]:
        move = shlex.join(["runctl", "ssh", place.reference, "--", "ls", "-la", answer["root"]])
        return ConflictError(
            f"{told}: a folder with files of its own stands where a file must; nothing was changed",
            hint=f"look at it: {move}",
            paths=paths,
        )
    is_one = len(paths) == 1
    return ConflictError(
        f"{told} {'was' if is_one else 'were'} written there, not by a sync; nothing was changed",
        hint=f"runctl sync {shlex.quote(place.reference)} --force replaces "
        f"{'it' if is_one else 'them'}",
        paths=paths,
    )
