"""A run as it happens: its events and its log, from the ledger, in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from runctl.engine.instances import is_alive, start_attempt
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.errors import NotFoundError, TryAgain
from runctl.model.run import Run, next_actions
from runctl.model.views import EventSeen, LogData, RunOver, Update
from runctl.store.logs import Log

POLL_S = 0.05
SLOW_S = 0.5
JUDGE_S = 2.0


class Follower:
    """Follows one run through all its attempts, from the first byte or from now on."""

    def __init__(self, session: Session, run_id: str, *, is_owner: bool = False) -> None:
        self._session = session
        self._run_id = run_id
        self._is_owner = is_owner  # who launched it also revives it
        self._attempt = 1
        self._position = 0
        self._seen = ""
        self._judged_at = time.monotonic()
        self._quiet_since = time.monotonic()

    def updates(self) -> Iterator[Update]:
        """Yield what happens, until the run is over; the log's end comes before the last."""
        ledger = self._session.ledger
        while True:
            run = ledger.load(self._run_id)
            yield from self._catch_up(run)
            if run.is_over and not self._goes_on(run):
                yield RunOver(run=run)
                return
            lost = self._look_after()
            if lost is not None:
                yield from self._catch_up(lost)
                yield RunOver(run=lost)
                return
            self._pause()

    def _catch_up(self, run: Run) -> Iterator[Update]:
        while self._attempt <= len(run.attempts):
            yield from self._events(run)
            yield from self._log()
            if self._attempt == len(run.attempts):
                return
            self._attempt, self._position, self._seen = self._attempt + 1, 0, ""

    def _events(self, run: Run) -> Iterator[Update]:
        ledger = self._session.ledger
        for key in ledger.event_keys(self._run_id, self._attempt, after=self._seen):
            self._seen = key
            self._quiet_since = time.monotonic()
            yield EventSeen(event=ledger.event(key), run=run)

    def _log(self) -> Iterator[Update]:
        log = Log(self._session.ledger.objects, self._run_id, self._attempt)
        for frame in log.read(self._position):
            self._position = frame.start + len(frame.data)
            self._quiet_since = time.monotonic()
            yield LogData(attempt=self._attempt, start=frame.start, data=frame.data)

    def _goes_on(self, run: Run) -> bool:
        return will_retry(self._session, run)

    def _look_after(self) -> Run | None:
        """Every other second, see whether it still lives; return the run if it is lost."""
        if time.monotonic() - self._judged_at < JUDGE_S:
            return None
        run = judge(self._session, self._run_id)
        self._judged_at = time.monotonic()
        if not run.is_over or run.last is None:
            return None
        recorded = self._session.ledger.load(self._run_id)
        if recorded.is_over:
            return None  # it ended by itself: the next turn shows it
        if self._is_owner:
            revive(self._session, recorded)
            return None
        return run

    def _pause(self) -> None:
        is_quiet = time.monotonic() - self._quiet_since > 10 * SLOW_S
        time.sleep(SLOW_S if is_quiet and not self._is_local() else POLL_S)

    def _is_local(self) -> bool:
        return "://" not in self._session.ledger.objects.url


def revive(session: Session, run: Run) -> None:
    """Bring back the agent of an attempt whose processes are gone: it saves what it can.

    Where the command had been started, the attempt ends as lost, and its last checkpoints
    are committed; where it had not, it goes on from the phase it had reached.
    """
    last = run.last
    if last is not None:
        start_attempt(session, run.spec, last.instance, last.number, secrets=None)


def wait(session: Session, run_id: str, timeout: timedelta | None) -> Run:
    """Return the run once it is over, or raise TryAgain when the waiting has taken too long."""
    began = time.monotonic()
    while True:
        run = session.ledger.load(run_id)
        if not run.is_over and time.monotonic() - began > JUDGE_S:
            run = judge(session, run_id)
        if run.is_over and not will_retry(session, run):
            return run
        if timeout is not None and time.monotonic() - began >= timeout.total_seconds():
            raise TryAgain(
                f"run {run.spec.name} is still {run.state.value}: only the waiting is over",
                hint=f"runctl wait {run_id}",
                run=run_id,
            )
        time.sleep(POLL_S * 4)


def will_retry(session: Session, run: Run) -> bool:
    """Tell whether the next attempt is about to be claimed by the agent of this one."""
    return bool(next_actions(run)) and is_alive(session, run)


def read_log(session: Session, run: Run, attempt: int, since: datetime | None) -> Iterator[LogData]:
    """Yield the log of an attempt; of what was shipped before ``since``, nothing."""
    if not 1 <= attempt <= len(run.attempts):
        raise NotFoundError(f"run {run.spec.name} has no attempt {attempt}")
    for frame in Log(session.ledger.objects, run.run_id, attempt).read():
        if since is None or frame.shipped_at >= since:
            yield LogData(attempt=attempt, start=frame.start, data=frame.data)
