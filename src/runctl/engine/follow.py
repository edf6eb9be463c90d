"""A run as it happens: its events and its log, from the ledger, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from runctl.engine.instances import has_ended, is_alive, is_revivable, start_attempt
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.engine.tail import Tail
from runctl.errors import ConflictError, NotFoundError, TryAgain
from runctl.model.run import Run, next_actions
from runctl.model.views import EventSeen, LogData, RunOver, Update
from runctl.store.logs import Log
from runctl.store.pace import pace_of

ASK_S = 3.0
"""Of a run that shows nothing new the provider is asked so often: its instance may have ended."""
GoOn = Callable[[str], Run | None]


class Follower:
    """Follows one run from the first byte of an attempt on, through all that come after it.

    ``since`` leaves out what was shipped of the log before it; after ``timeout`` there is
    TryAgain: only the following is over. ``go_on`` starts an attempt that is due elsewhere.
    """

    def __init__(
        self,
        session: Session,
        run_id: str,
        *,
        is_owner: bool = False,
        attempt: int = 1,
        since: datetime | None = None,
        timeout: timedelta | None = None,
        go_on: GoOn | None = None,
    ) -> None:
        self._session = session
        self._attempt = attempt
        self._since = since
        self._timeout = timeout
        self._watch = _Watch(session, run_id, is_owner=is_owner, go_on=go_on)
        self._tail = self._watch.tail
        self._position = 0

    def updates(self) -> Iterator[Update]:
        """Yield what happens, until the run is over; the log's end comes before its events."""
        began = time.monotonic()
        while True:
            for update in self._catch_up():
                self._watch.hear()
                yield update
            over = self._watch.find_end()
            if over is not None:
                yield from self._catch_up()
                yield RunOver(run=over)
                return
            _check_timeout(self._tail.run, began, self._timeout)
            time.sleep(self._watch.pace.follow_s)

    def _catch_up(self) -> Iterator[Update]:
        while self._tail.attempt:
            events = self._tail.new_events()
            if self._tail.attempt >= self._attempt:
                yield from self._log()
                yield from (EventSeen(event=event, run=self._tail.run) for event in events)
            if not self._tail.advance_attempt():
                return
            self._position = 0
        self._tail.advance_attempt()

    def _log(self) -> Iterator[Update]:
        attempt = self._tail.attempt
        log = Log(self._session.ledger.objects, self._tail.run.run_id, attempt)
        for frame in log.read(self._position):
            self._position = frame.start + len(frame.data)
            if self._since is None or frame.shipped_at >= self._since:
                yield LogData(attempt=attempt, start=frame.start, data=frame.data)


class _Watch:
    """Tells when a run is over: by its own word, or because its processes are gone."""

    def __init__(
        self, session: Session, run_id: str, *, is_owner: bool, go_on: GoOn | None = None
    ) -> None:
        self._session = session
        self._run_id = run_id
        self._is_owner = is_owner  # who launched it also revives it
        self._go_on = go_on
        self._judged_at = self._heard_at = self._asked_at = time.monotonic()
        self.pace = pace_of(session.ledger.objects.url)
        self.tail = Tail(session.ledger, run_id)

    def hear(self) -> None:
        """Note that the run has shown something new."""
        self._heard_at = time.monotonic()

    def find_end(self) -> Run | None:
        """Return the run if it is over and no further attempt is about to be claimed."""
        if self.tail.run.is_over:
            will_go_on = will_retry(self._session, self.tail.run)
            is_claimed = self._session.ledger.is_claimed(self._run_id, self.tail.attempt + 1)
            if will_go_on or is_claimed or self._is_taken_on():
                return None
            return self._session.ledger.load(self._run_id)
        if not self._is_time_to_judge():
            return None
        self._judged_at = time.monotonic()
        return self._judge()

    def _is_time_to_judge(self) -> bool:
        """Tell whether it is, or whether the instance has ended meanwhile: to ask that is free."""
        now = time.monotonic()
        if now - self._judged_at >= self.pace.judge_s:
            return True
        if now - max(self._heard_at, self._asked_at) < ASK_S:
            return False
        self._asked_at = now
        return has_ended(self._session, self.tail.run)

    def _judge(self) -> Run | None:
        """Return the run if its processes are gone, and it will never tell its end."""
        judged = judge(self._session, self._run_id)
        if judged.last is None:
            raise ConflictError(
                f"run {judged.spec.name} was never started: its launch was cut short",
                hint=f"runctl resume {self._run_id}",
                run=self._run_id,
            )
        if not judged.is_over or self._session.ledger.load(self._run_id).is_over:
            return None  # alive, or ended by itself: the next look shows it
        if self._is_owner and is_revivable(self._session, judged):
            revive(self._session, judged)
            return None
        return None if self._is_taken_on() else judged

    def _is_taken_on(self) -> bool:
        """Start the next attempt where it is due; tell whether there is one now."""
        return self._go_on is not None and self._go_on(self._run_id) is not None


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
    watch = _Watch(session, run_id, is_owner=False)
    began = time.monotonic()
    while True:
        if watch.tail.new_events():
            watch.hear()
        while watch.tail.advance_attempt():
            watch.tail.new_events()
        over = watch.find_end()
        if over is not None:
            return over
        _check_timeout(watch.tail.run, began, timeout)
        time.sleep(watch.pace.wait_s)


def _check_timeout(run: Run, began: float, timeout: timedelta | None) -> None:
    if timeout is not None and time.monotonic() - began >= timeout.total_seconds():
        raise TryAgain(
            f"run {run.spec.name} is still {run.state.value}: only the waiting is over",
            hint=f"runctl wait {run.run_id}",
            run=run.run_id,
        )


def will_retry(session: Session, run: Run) -> bool:
    """Tell whether the next attempt is about to be claimed by the agent of this one."""
    goes_on_here = any(action.is_here for action in next_actions(run))
    return goes_on_here and is_alive(session, run)


def read_log(session: Session, run: Run, attempt: int, since: datetime | None) -> Iterator[LogData]:
    """Yield the log of an attempt; of what was shipped before ``since``, nothing."""
    if not 1 <= attempt <= len(run.attempts):
        raise NotFoundError(f"run {run.spec.name} has no attempt {attempt}")
    for frame in Log(session.ledger.objects, run.run_id, attempt).read():
        if since is None or frame.shipped_at >= since:
            yield LogData(attempt=attempt, start=frame.start, data=frame.data)
