"""Checkpoints as text: the rows of a list, and one page about one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC

from runctl.cli.sentences import tell_age, tell_seconds
from runctl.model.quantities import format_size
from runctl.model.views import CheckpointDetail, CheckpointView, CleanupItem, Verdict

SHOWN = 20
_NUMBERS = ("STEP", "EPOCH", "LOSS")

Row = tuple[str, ...]


def list_table(views: Sequence[CheckpointView], *, is_run: bool) -> tuple[Row, list[Row]]:
    """Return header and rows; only of a run is there a label beside the name, and a lag."""
    header = ("NAME", "FORMAT", *_NUMBERS, "SIZE", "AGE")
    if is_run:
        return ("CHECKPOINT", *header, "LAG", "STATE"), [_run_row(view) for view in views]
    return (*header, "STATE"), [(*_row(view), _state(view, "whole")) for view in views]


def _run_row(view: CheckpointView) -> Row:
    return (view.label, *_row(view), _lag(view), _state(view, "committed"))


def _lag(view: CheckpointView) -> str:
    """From the last write to the commit; what was imported, as attempt 0, has none."""
    if view.committed_at is None or view.label.startswith("0/"):
        return "-"
    return tell_seconds(max(0.0, (view.committed_at - view.written_at).total_seconds()))


def _row(view: CheckpointView) -> Row:
    return (
        plain(view.name),
        view.format,
        *map(_number, (view.step, view.epoch, view.loss)),
        format_size(view.size_bytes),
        tell_age(view.written_at),
    )


def _state(view: CheckpointView, good: str) -> str:
    return good if view.verdict is Verdict.GOOD else f"{view.verdict.value}: {plain(view.reason)}"


def info_page(detail: CheckpointDetail, paint: Callable[[str], str], *, is_all: bool) -> list[str]:
    """Return the lines about one checkpoint; of its tensors the first, unless ``is_all``."""
    sections: list[tuple[str, list[str]]] = [
        ("", _facts(detail)),
        ("metrics", [f"{plain(k)} = {_number(v)}" for k, v in sorted(detail.view.metrics.items())]),
        ("files", [f"{plain(k)}  {format_size(v)}" for k, v in detail.files.items()]),
        ("tensors", _tensors(detail, is_all=is_all)),
        ("notes", [plain(note) for note in detail.notes]),
    ]
    return [line for title, lines in sections for line in _section(paint(title), lines)]


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines and title:
        yield title
    yield from (f"  {line}" if title else line for line in lines)


def _facts(detail: CheckpointDetail) -> list[str]:
    view = detail.view
    name = "" if view.label == view.name else f"  {plain(view.name)}"
    facts = {
        "checkpoint": f"{plain(view.label)}{name}",
        "format": view.format,
        "step": _number(view.step),
        "epoch": _number(view.epoch),
        "loss": _number(view.loss),
        "size": f"{format_size(view.size_bytes)} ({view.size_bytes} bytes)",
        "parameters": f"{detail.parameter_count:,}",
        "dtypes": ", ".join(f"{count} of {dtype}" for dtype, count in detail.dtypes.items()) or "-",
        "written": f"{view.written_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }
    if view.committed_at is not None:
        moment = f"{view.committed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        facts["committed"] = f"{moment}, lag {_lag(view)}"
    return [f"{key:<12}{value}" for key, value in facts.items()]


def _tensors(detail: CheckpointDetail, *, is_all: bool) -> list[str]:
    shown = detail.tensors if is_all else detail.tensors[:SHOWN]
    lines = [f"{plain(t.name)}  {t.dtype}  {'x'.join(map(str, t.shape)) or '()'}" for t in shown]
    left = detail.tensor_count - len(shown)
    if left > 0:
        lines.append(f"… and {left} more" + ("" if is_all else ": --all shows them"))
    return lines


def cleanup_table(items: Sequence[CleanupItem], *, is_dry_run: bool) -> tuple[Row, list[Row]]:
    gone = "would go" if is_dry_run else "deleted"
    rows = [
        (
            "kept" if item.is_kept else gone,
            *dict.fromkeys((plain(item.label), plain(item.name))),
            format_size(item.size_bytes),
            plain(item.reason),
        )
        for item in items
    ]
    is_run = any(item.label != item.name for item in items)
    names = ("CHECKPOINT", "NAME") if is_run else ("CHECKPOINT",)
    return ("", *names, "SIZE", "REASON"), rows


def plain(text: str) -> str:
    """Return text that a terminal does not obey: what a checkpoint holds is anybody's."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.6g}"
