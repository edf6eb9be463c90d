"""What has moved, and what there is in a bucket, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runctl.cli.sentences import tell_count, tell_path
from runctl.model.quantities import format_size
from runctl.model.transfer import Action, Move, Trouble

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.transfer import TransferReport

_VERBS = {
    Action.UPLOAD: "send",
    Action.DOWNLOAD: "fetch",
    Action.DELETE_THERE: "delete there",
    Action.DELETE_HERE: "delete here",
}


def move_lines(moves: Sequence[Move]) -> Iterator[str]:
    for move in moves:
        size = format_size(move.size_bytes)
        yield f"{_VERBS[move.action]}  {tell_path(move.name)}  {size}  ({move.reason})"


def plan_lines(plan: TransferReport) -> Iterator[str]:
    yield from move_lines(plan.moves)
    total = format_size(sum(move.size_bytes for move in plan.moves))
    yield f"would move {tell_count(len(plan.moves), 'file')} of {total}; {_unchanged(plan)}"


def transfer_line(report: TransferReport) -> str:
    """One line for all that was done."""
    counts = dict.fromkeys(Action, 0)
    for move in report.moves:
        counts[move.action] += 1
    told = [
        f"{word} {tell_count(counts[action], 'file')}"
        for action, word in (
            (Action.UPLOAD, "sent"), (Action.DOWNLOAD, "fetched"),
            (Action.DELETE_THERE, "deleted there"), (Action.DELETE_HERE, "deleted here"),
        )
        if counts[action]
    ]  # fmt: skip
    resumed = report.resumed_bytes
    rest = f", {format_size(resumed)} of it from before" if resumed else ""
    size = f" ({format_size(report.moved_bytes + resumed)}{rest})" if report.moves else ""
    return f"{', '.join(told) or 'moved nothing'}{size}; {_unchanged(report)}"


def _unchanged(report: TransferReport) -> str:
    return f"{tell_count(report.unchanged_count, 'file')} equal already"


def conclude(screen: Screen, report: TransferReport) -> int:
    """Tell what is not as it should be; return the exit status."""
    unverified = len(report.unverified)
    if unverified:
        screen.warn(
            f"{tell_count(unverified, 'file')} came whole, but the store tells no digest of them: "
            + ", ".join(tell_path(name) for name in report.unverified[:3])
            + (" …" if unverified > 3 else "")
        )
    return tell_troubles(screen, report.troubles)


def tell_troubles(screen: Screen, troubles: Sequence[Trouble]) -> int:
    for trouble in troubles:
        screen.warn(tell_path(trouble.problem))
    return max((trouble.exit_code for trouble in troubles), default=0)
