"""All runs of a ledger, found fast: a local cache of the runs that are over.

The cache can be deleted at any time. A run in it is believed unless a later attempt was
claimed; a run that is not over is always folded anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from runctl.errors import IntegrityError, RecordError, RunNotFound
from runctl.model.codec import Record, decode, encode
from runctl.model.run import Run
from runctl.model.views import RunSummary
from runctl.store.ledger import Ledger
from runctl.store.pace import pace_of


class _Cached(Record, frozen=True, kw_only=True):
    runs: dict[str, RunSummary]


class Catalog:
    """Summaries of runs; use it as a context, so that what was learnt is kept."""

    def __init__(self, ledger: Ledger, cache_dir: Path) -> None:
        self._ledger = ledger
        name = hashlib.sha256(ledger.objects.url.encode()).hexdigest()[:16]
        self._path = cache_dir / f"runs-{name}.json"
        self._known = _read(self._path)
        self._learnt = 0
        self.damaged: dict[str, Exception] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._learnt:
            _write(self._path, self._known)

    def run_ids(self) -> list[str]:
        """Return all ids, newest first."""
        return self._ledger.run_ids()

    def summaries(self) -> Iterator[RunSummary]:
        """Yield all runs, newest first, one at a time: a page costs no more than a page.

        One whose records cannot be read hides no other: ``damaged`` holds why, by its id.
        """
        yield from filter(None, map(self._try, self.run_ids()))

    def all_summaries(self) -> list[RunSummary]:
        """Return all runs, newest first, read several at once; else as ``summaries``."""
        readers = pace_of(self._ledger.objects.url).readers
        if readers == 1:
            return list(self.summaries())
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import

        with ThreadPoolExecutor(readers) as pool:
            return list(filter(None, pool.map(self._try, self.run_ids())))

    def _try(self, run_id: str) -> RunSummary | None:
        try:
            return self.summary(run_id)
        except RunNotFound:
            return None  # it is being removed, or its launch was cut short before the spec
        except (IntegrityError, OSError) as error:
            self.damaged[run_id] = error
            return None

    def summary(self, run_id: str) -> RunSummary:
        known = self._known.get(run_id)
        if known is not None and self._is_current(run_id, known):
            return known
        run = self._ledger.load(run_id)
        found = summarise(run)
        if run.is_over:
            self._known[run_id] = found
            self._learnt += 1
        return found

    def _is_current(self, run_id: str, known: RunSummary) -> bool:
        if len(known.instances) < known.attempts:
            return False  # learnt by a version that did not look where attempts were
        is_claimed = self._ledger.is_claimed(run_id, known.attempts + 1)
        return not is_claimed and self._ledger.has_spec(run_id)


def summarise(run: Run) -> RunSummary:
    last = run.last
    checkpoint = next(
        (a.last_checkpoint for a in reversed(run.attempts) if a.last_checkpoint), None
    )
    return RunSummary(
        run_id=run.run_id,
        name=run.spec.name,
        project=run.spec.project,
        state=run.state,
        created_at=run.spec.created_at,
        ended_at=run.ended_at,
        attempts=len(run.attempts),
        target=run.spec.target,
        script=run.spec.command.script,
        checkpoint_count=sum(attempt.checkpoint_count for attempt in run.attempts),
        last_step=checkpoint.step if checkpoint else None,
        exit_status=last.exit.status if last and last.exit else None,
        last_checkpoint=checkpoint.name if checkpoint else None,
        instances=tuple(attempt.instance for attempt in run.attempts),
    )


def _read(path: Path) -> dict[str, RunSummary]:
    try:
        return dict(decode(path.read_bytes(), _Cached, key=str(path)).runs)
    except (OSError, RecordError):
        return {}  # a cache that is not there, or not readable, is built anew


def _write(path: Path, runs: dict[str, RunSummary]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(encode(_Cached(runs=runs)))
        temporary.replace(path)
    except (OSError, msgspec.MsgspecError):
        return  # a read-only home costs speed, nothing else
