"""Runs in a list: filtered, newest first, judged where they claim to be alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from runctl.engine.catalog import Catalog, summarise
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.errors import IntegrityError
from runctl.model.run import ACTIVE, State
from runctl.model.views import RunSummary


def list_runs(
    session: Session,
    *,
    states: Sequence[State],
    name: str | None,
    newer_than: timedelta | None,
    limit: int | None,
    on_damaged: Callable[[str, Exception], None],
) -> list[RunSummary]:
    """Return the runs that can be read; the others are told to ``on_damaged``, id and reason."""
    oldest = session.clock() - newer_than if newer_than is not None else None
    found: list[RunSummary] = []
    with Catalog(session.ledger, session.cache_dir) as catalog:
        for summary in _recent(catalog, oldest):
            if limit is not None and len(found) >= limit:
                break
            if name is not None and not _is_named(summary, name):
                continue
            judged = _judge(session, summary, catalog.damaged)
            if judged is not None and (not states or judged.state in states):
                found.append(judged)
        for run_id, error in catalog.damaged.items():
            on_damaged(run_id, error)
    return found


def _recent(catalog: Catalog, oldest: datetime | None) -> Iterator[RunSummary]:
    for summary in catalog.summaries():
        if oldest is not None and summary.created_at < oldest:
            return  # ids sort newest first: all that follow are older
        yield summary


def _is_named(summary: RunSummary, name: str) -> bool:
    return name in summary.name or fnmatchcase(summary.name, name)


def _judge(
    session: Session, summary: RunSummary, damaged: dict[str, Exception]
) -> RunSummary | None:
    """Believe a run that is over; look after one that says it is alive."""
    if summary.state not in ACTIVE or not summary.attempts:
        return summary
    try:
        return summarise(judge(session, summary.run_id))
    except IntegrityError as error:
        damaged[summary.run_id] = error
        return None
