"""What travels, in text: for a sync, and as a part of the plan of a launch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runctl.cli.aligned import Fact, align
from runctl.cli.sentences import tell_count, tell_path
from runctl.model.quantities import format_size
from runctl.model.travel import Changes, Concerns, TravelPlan

SHOWN = 10


def travel_page(plan: TravelPlan) -> Iterable[str]:
    """What a sync would send."""
    return [
        *align(project_fact(plan), *travel_facts(plan)),
        *travel_lines(plan),
        "nothing was sent: this is --dry-run",
    ]


def project_fact(plan: TravelPlan) -> Fact:
    return "project", f"{plan.project_root} ({plan.root_reason})"


def travel_facts(plan: TravelPlan) -> Iterator[Fact]:
    largest = ", ".join(f"{tell_path(path)} {format_size(size)}" for path, size in plan.largest)
    yield "files", f"{plan.file_count}, {format_size(plan.total_bytes)}"
    yield "largest", largest or None
    yield "changed", _tell_changes(plan.changes) if plan.changes else None


def _tell_changes(changes: Changes) -> str:
    since = f"since run {changes.name} ({changes.run_id})"
    if not changes.count:
        return f"nothing {since}"
    kinds = (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed))
    return ", ".join(f"{len(paths)} {kind}" for kind, paths in kinds if paths) + f" {since}"


def travel_lines(plan: TravelPlan) -> Iterator[str]:
    """What does not fit beside a name: what has changed, what was to be explained, notes."""
    if plan.changes is not None:
        yield from _list_changes(plan.changes)
    for one in plan.explained:
        yield f"{'in' if one.is_in else 'out'}: {tell_path(one.path)}: {tell_path(one.reason)}"
    label = "note" if plan.concerns.destination is None else "warning"
    yield from (f"{label}: {line}" for line in concern_lines(plan.concerns))
    yield from (f"note: {tell_path(note)}" for note in plan.notes)


def concern_lines(concerns: Concerns) -> Iterator[str]:
    """What is better looked at before it is sent."""
    for one in concerns.suspects[:SHOWN]:
        line = f", line {one.line}," if one.line is not None else ""
        tracked = " (git has it too)" if one.is_tracked else ""
        yield f"{tell_path(one.path)}{line} looks like a secret: {one.what}{tracked}"
    if len(concerns.suspects) > SHOWN:
        yield f"{len(concerns.suspects) - SHOWN} more files look like secrets"
    if concerns.is_large:
        size, limit = format_size(concerns.total_bytes), format_size(concerns.warn_bytes)
        yield f"the code is {size}, above code.warn_bytes = {limit}"


def _list_changes(changes: Changes) -> Iterator[str]:
    marks = (("+", changes.added), ("~", changes.changed), ("-", changes.removed))
    lines = [f"  {mark} {tell_path(path)}" for mark, paths in marks for path in paths]
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"  and {tell_count(len(lines) - SHOWN, 'file')} more: --output json has all"
