"""What is known of a checkpoint on this machine, in the words of the client's answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from runctl.errors import CheckpointNotFound, IntegrityError
from runctl.model.checkpoint import Summary
from runctl.model.codec import escape_name
from runctl.model.views import CheckpointDetail, CheckpointView, TensorView, Verdict
from runctl.store.files import Signature, sign
from runctl.store.formats import (
    FORMATS,
    Description,
    Wholeness,
    check,
    describe,
    inspect_format,
)
from runctl.store.summary import summarise

UNKNOWN = "unknown"
JSON = "json"
_VERDICTS = {
    Wholeness.WHOLE: Verdict.GOOD,
    Wholeness.TORN: Verdict.BAD,
    Wholeness.UNKNOWN: Verdict.UNKNOWN,
}
_SUFFIXES = frozenset({".ckpt", ".bin"}).union(*(each.suffixes for each in FORMATS))


def inspect(path: Path, *, is_deep: bool = False) -> CheckpointView | None:
    """Describe a file or folder that is a checkpoint by its format; None where it is none.

    A JSON document is one if it tells a step or an epoch: most are settings.
    """
    try:
        return _inspect(path, sign(path), is_deep=is_deep)
    except (FileNotFoundError, CheckpointNotFound):
        return None  # renamed or removed while we looked
    except IntegrityError as error:
        is_claimed = path.suffix.lower() in _SUFFIXES or path.is_dir()
        return _bad(path, error.message) if is_claimed else None
    except OSError as error:
        return _bad(path, f"cannot be read: {error.strerror}")


def _inspect(path: Path, signature: Signature, *, is_deep: bool) -> CheckpointView | None:
    fmt = inspect_format(path)
    if fmt.name == UNKNOWN:
        return None
    judged = check(path, deep=is_deep)
    verdict = _VERDICTS[judged.wholeness]
    reason = "" if verdict is Verdict.GOOD else judged.reason
    if verdict is Verdict.BAD:
        return _view(path, signature, Summary(format=fmt.name), verdict, reason)
    found = describe(path)
    if fmt.name == JSON and found.step is None and found.epoch is None:
        return None
    return _view(path, signature, summarise(found), verdict, reason)


def detail(view: CheckpointView, files: dict[str, int], found: Description) -> CheckpointDetail:
    """Put together all that there is to say of a checkpoint."""
    return CheckpointDetail(
        view=view,
        files=files,
        tensor_count=found.tensor_count,
        parameter_count=found.parameter_count,
        dtypes=found.dtypes,
        tensors=tuple(
            TensorView(
                name=tensor.name,
                dtype=tensor.dtype,
                shape=tensor.shape,
                size_bytes=tensor.size_bytes,
            )
            for tensor in found.tensors
        ),
        notes=found.notes,
    )


def files_of(path: Path, signature: Signature) -> dict[str, int]:
    """Return the sizes of a checkpoint's files, by their escaped names."""
    return {escape_name(entry[0] or path.name): entry[1] for entry in signature}


def _view(
    path: Path, signature: Signature, summary: Summary, verdict: Verdict, reason: str
) -> CheckpointView:
    name = escape_name(path.name)
    return CheckpointView(
        label=name,
        name=name,
        format=summary.format,
        size_bytes=sum(entry[1] for entry in signature),
        written_at=_time_of(max((entry[2] for entry in signature), default=0)),
        committed_at=None,
        step=summary.step,
        epoch=summary.epoch,
        loss=summary.loss,
        metrics=summary.metrics,
        verdict=verdict,
        reason=reason,
    )


def _bad(path: Path, reason: str) -> CheckpointView:
    """Describe what cannot even be looked into."""
    status = path.lstat()
    entry = ("", status.st_size, status.st_mtime_ns, status.st_ino)
    return _view(path, (entry,), Summary(format=UNKNOWN), Verdict.BAD, reason)


def _time_of(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
