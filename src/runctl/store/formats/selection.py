"""Pick a format by content first and by name second, and hold it to its promises."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from runctl.errors import CheckpointNotFound, FormatNotJudged, IntegrityError
from runctl.store.formats.description import Description, Format, Verdict, Wholeness, undecided
from runctl.store.formats.unknown import Unknown

HEAD_BYTES = 512


def select(path: Path, formats: Sequence[Format]) -> Format:
    """The format of a file or folder; Unknown for odd bytes, a pipe or a device."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return Unknown()
        head = _head(path) if stat.S_ISREG(mode) else b""
        return _by_content(path, head, formats) or _by_name(path, mode, formats) or Unknown()
    except OSError as error:
        raise _unreadable(path, error) from error


def judge(path: Path, fmt: Format, *, deep: bool) -> Verdict:
    """The format's verdict, with what it raises turned into one."""
    try:
        return fmt.check(path, deep=deep)
    except FormatNotJudged as error:
        return undecided(error.message)
    except IntegrityError as error:
        return Verdict(Wholeness.TORN, error.message)
    except OSError as error:
        raise _unreadable(path, error) from error


def describe_as(path: Path, fmt: Format) -> Description:
    """The format's description; what it cannot judge is described by its size and a note."""
    try:
        verdict = judge(path, fmt, deep=False)
        if verdict.wholeness is Wholeness.TORN:
            raise torn(path, verdict.reason)
        return fmt.describe(path)
    except FormatNotJudged as error:
        size_bytes = path.stat().st_size
        return Description(format=fmt.name, size_bytes=size_bytes, notes=(error.message,))
    except IntegrityError as error:
        raise error if str(path) in error.message else torn(path, error.message) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def torn(path: Path, reason: str) -> IntegrityError:
    """The error that says which checkpoint is torn, and how."""
    return IntegrityError(
        f"checkpoint {path} is not whole: {reason}", hint="runctl checkpoint list", path=str(path)
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(HEAD_BYTES)


def _by_content(path: Path, head: bytes, formats: Sequence[Format]) -> Format | None:
    return next((each for each in formats if each.matches(path, head)), None)


def _by_name(path: Path, mode: int, formats: Sequence[Format]) -> Format | None:
    suffix = path.suffix.lower()
    if not stat.S_ISREG(mode) or not suffix:
        return None
    return next((each for each in formats if suffix in each.suffixes), None)


def _unreadable(path: Path, error: OSError) -> IntegrityError | CheckpointNotFound:
    if isinstance(error, FileNotFoundError):
        return CheckpointNotFound(
            f"there is no checkpoint at {path}", hint="runctl checkpoint list"
        )
    return IntegrityError(f"checkpoint {path} cannot be read: {error.strerror}", path=str(path))
