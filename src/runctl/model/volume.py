"""Which volumes are wanted on an instance, and where; as ``--volume`` says it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath

from runctl.errors import UsageError
from runctl.model.codec import Value
from runctl.model.instance import Volume
from runctl.model.quantities import parse_size

_GIB = 1024**3
_MOST_GIB = 64 * 1024  # of one volume of type gp3
_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGTP]i?B?|B)", re.IGNORECASE)
_PATH = re.compile(r"(/[A-Za-z0-9._+@-]+)+")
_OF_THE_SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
_WHOLE = frozenset({"/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var"})  # noqa: S108 - it is never written


class VolumeAsk(Value, frozen=True, kw_only=True):
    """A volume that is wanted at ``path``, an absolute folder of the instance.

    ``source`` is an id (``vol-…``) or a name; None where one of ``gib`` GiB is to be made.
    """

    path: str
    source: str | None = None
    gib: int | None = None
    is_read_only: bool = False


class VolumePlace(Value, frozen=True, kw_only=True):
    """The volume that an attempt has attached, and where its instance is to mount it."""

    volume_id: str
    path: str
    name: str | None = None
    is_read_only: bool = False


class VolumeForesight(Value, frozen=True, kw_only=True):
    """What a wanted volume will be: one that is there, or a new one at ``usd_per_month``.

    A price of None is unknown, never 0.
    """

    ask: VolumeAsk
    volume: Volume | None = None
    usd_per_month: Decimal | None = None


class VolumePlan(Value, frozen=True, kw_only=True):
    """All that are wanted on an instance; ``place`` is the zone that they tie it to, if any."""

    volumes: tuple[VolumeForesight, ...] = ()
    place: str | None = None


class Snapshot(Value, frozen=True, kw_only=True):
    """What a volume held at ``started_at``; ``state`` is in the provider's own words.

    ``usd_per_month`` is the most that it costs: only what was written is paid for, and once. None
    is unknown, never 0. ``volume_id`` is of a volume that may be gone.
    """

    provider: str
    snapshot_id: str
    volume_id: str | None
    gib: int
    state: str
    started_at: datetime
    usd_per_month: Decimal | None
    progress: str | None = None
    name: str | None = None
    is_ours: bool = False


def read_volumes(texts: Sequence[str]) -> tuple[VolumeAsk, ...]:
    """Read ``SRC:MOUNT[:ro]``, or raise UsageError; no folder is in another's."""
    asks = tuple(map(read_volume, texts))
    for number, one in enumerate(asks):
        for other in asks[:number]:
            _check_apart(one, other)
    return asks


def read_volume(text: str) -> VolumeAsk:
    source, _, rest = text.partition(":")
    path, _, mode = rest.partition(":")
    if not source or mode not in ("", "ro") or rest.endswith(":"):
        raise _wrong(text, "is not SRC:MOUNT, or SRC:MOUNT:ro")
    _check_path(text, path)
    gib = _read_size(text, source)
    named = source if gib is None else None
    if gib is not None and mode:
        raise _wrong(text, "is of a new volume, which has nothing to be read")
    return VolumeAsk(path=path, source=named, gib=gib, is_read_only=mode == "ro")


def _read_size(text: str, source: str) -> int | None:
    if not _SIZE.fullmatch(source):
        return None
    gib = -(-parse_size(source) // _GIB)
    if not 0 < gib <= _MOST_GIB:
        raise _wrong(text, f"is not of a size that there is: 1 to {_MOST_GIB} GiB")
    return gib


def _check_path(text: str, path: str) -> None:
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise _wrong(text, "needs an absolute folder, of letters, digits and ._+@-")
    if path in _WHOLE or path.split("/")[1] in _OF_THE_SYSTEM:
        raise _wrong(text, f"would hide what the system has in {path}")


def _check_apart(one: VolumeAsk, other: VolumeAsk) -> None:
    mine, its = PurePosixPath(one.path), PurePosixPath(other.path)
    if mine.is_relative_to(its) or its.is_relative_to(mine):
        raise _wrong(one.path, f"and {other.path} are one inside the other")
    if one.source is not None and one.source == other.source:
        raise _wrong(one.source, "is wanted at two places")


def _wrong(text: str, what: str) -> UsageError:
    return UsageError(
        f"--volume: {text!r} {what}", hint="write --volume data:/mnt/data, or 100G:/mnt/new"
    )
