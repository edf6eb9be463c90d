"""What has to move so that two sides are equal: decided before anything moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from runctl.errors import ConflictError
from runctl.model.transfer import Action, Move
from runctl.store.transfer.digests import etag_digest, is_of_file
from runctl.store.transfer.far import FarBucket, FarObject, SourceFile
from runctl.store.transfer.known import Known

Direction = Literal["up", "down", "both"]
READERS = 4


@dataclass(frozen=True)
class Sides:
    """Both sides, by relative name, and what was known of them."""

    bucket: FarBucket
    here: Mapping[str, SourceFile]
    there: Mapping[str, FarObject]
    known: Known


def plan_moves(sides: Sides, direction: Direction, prefer: str | None = None) -> list[Move]:
    """Return the copies to make, by name; ConflictError where both sides have changed."""
    both = sorted(sides.here.keys() & sides.there.keys())
    equal = _equal(sides, both)
    moves: list[Move] = []
    if direction != "down":
        moves += [_move(sides, Action.UPLOAD, name, "new") for name in sides.here
                  if name not in sides.there]  # fmt: skip
    if direction != "up":
        moves += [_move(sides, Action.DOWNLOAD, name, "new") for name in sides.there
                  if name not in sides.here]  # fmt: skip
    for name in both:
        if name not in equal:
            moves.append(_move(sides, _way(sides, name, direction, prefer), name, "changed"))
    return sorted(moves, key=lambda move: move.name)


def plan_deletes(sides: Sides, direction: Direction) -> list[Move]:
    """Return what the side that is written to has too much."""
    if direction == "up":
        extra = sorted(sides.there.keys() - sides.here.keys())
        return [_move(sides, Action.DELETE_THERE, name, "not here") for name in extra]
    extra = sorted(sides.here.keys() - sides.there.keys())
    return [_move(sides, Action.DELETE_HERE, name, "not there") for name in extra]


def _equal(sides: Sides, names: Sequence[str]) -> set[str]:
    """Return which are the same on both sides; what is not known to be is read, several at once."""
    equal = {name for name in names if _is_known(sides, name)}
    asked = [name for name in names if name not in equal]
    if asked:
        with ThreadPoolExecutor(READERS) as pool:
            told = pool.map(lambda name: _is_same(sides, name), asked)
            equal |= {name for name, is_same in zip(asked, told, strict=True) if is_same}
    return equal


def _is_known(sides: Sides, name: str) -> bool:
    here, there, known = sides.here[name], sides.there[name], sides.known
    return (
        here.size_bytes == there.size_bytes
        and known.is_file(name, here)
        and known.is_object(name, there)
    )


def _is_same(sides: Sides, name: str) -> bool:
    here, there = sides.here[name], sides.there[name]
    if here.size_bytes != there.size_bytes:
        return False
    if _has_same_bytes(sides.bucket, here, there):
        sides.known.note(name, here, there.etag)
        return True
    return False


def _has_same_bytes(bucket: FarBucket, here: SourceFile, there: FarObject) -> bool:
    told = etag_digest(there)
    if told is not None and is_of_file(told, str(here.path)):
        return True
    digest = bucket.digest(there)
    return digest is not None and is_of_file(digest, str(here.path))


def _way(sides: Sides, name: str, direction: Direction, prefer: str | None) -> Action:
    if direction != "both":
        return Action.UPLOAD if direction == "up" else Action.DOWNLOAD
    here, there, known = sides.here[name], sides.there[name], sides.known
    if known.is_object(name, there):
        return Action.UPLOAD
    if known.is_file(name, here):
        return Action.DOWNLOAD
    if prefer == "newer":
        changed_at = datetime.fromtimestamp(here.mtime_ns / 1e9, UTC)
        prefer = "here" if changed_at > there.modified_at else "there"
    if prefer is None:
        raise ConflictError(
            f"{name} differs, and nothing tells which side is to be kept",
            hint="runctl s3 sync --direction both --prefer newer --dry-run",
            path=name,
        )
    return Action.UPLOAD if prefer == "here" else Action.DOWNLOAD


def _move(sides: Sides, action: Action, name: str, reason: str) -> Move:
    is_here = action in (Action.UPLOAD, Action.DELETE_HERE)
    size = sides.here[name].size_bytes if is_here else sides.there[name].size_bytes
    return Move(action=action, name=name, size_bytes=size, reason=reason)
