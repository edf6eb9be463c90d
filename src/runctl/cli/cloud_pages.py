"""Local clouds in text: how one stands, its events, its faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from runctl.cli.aligned import align
from runctl.cli.sentences import tell_count, tell_seconds
from runctl.model.cloud import CloudEvent, CloudFault, CloudStatus, FaultOrder
from runctl.model.quantities import format_size

FAULT_HEADER = ("ID", "EFFECT", "STATE", "HITS", "ON")
_NOT_SHOWN = ("effect", "after", "count", "for_s")


def status_page(status: CloudStatus) -> Iterable[str]:
    """A local cloud in detail."""
    tier, counts = status.tier, status.counts
    instances = [f"{count} {state}" for state, count in status.instances.items()]
    things = [tell_count(count, kind[:-1]) for kind, count in counts.items() if count]
    return align(
        ("name", status.name),
        ("address", status.address),
        ("tier", f"{tier.name} ({tier.reason})"),
        ("lacks", ", ".join(one.replace("_", " ") for one in tier.lacks) or None),
        ("instances", ", ".join(instances) or "none"),
        ("others", ", ".join(things) or None),
        ("faults", str(status.faults) if status.faults else None),
        ("account", status.account),
        ("process", f"{status.pid}, up {tell_seconds(status.uptime_s)}"),
        ("memory", format_size(status.memory_bytes)),
        ("version", status.version),
        ("folder", status.folder),
    )


def event_line(event: CloudEvent) -> str:
    """One event on one line."""
    when = datetime.fromtimestamp(event.time, UTC)
    details = " ".join(f"{name}={_plain(value)}" for name, value in event.details.items())
    return f"{when:%Y-%m-%d %H:%M:%S} UTC  {event.event}  {details}".rstrip()


def fault_row(fault: CloudFault) -> Sequence[str]:
    """One fault in a table."""
    state = fault.state.replace("-", " ")
    state = state if fault.problem is None else f"{state} ({fault.problem})"
    return (fault.id, fault.effect, state, str(fault.hits), _selection(fault))


def _selection(fault: CloudFault) -> str:
    """What a fault is about, as it was asked for."""
    fields = [field.name for field in structs.fields(FaultOrder) if field.name not in _NOT_SHOWN]
    found = [(name, getattr(fault, name)) for name in fields]
    words = [f"{name.removesuffix('_s')}={value}" for name, value in found if value is not None]
    return " ".join(words) or "everything"


def _plain(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)
