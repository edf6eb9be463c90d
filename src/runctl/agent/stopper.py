"""Ending the command: a signal to the process itself, grace, then SIGKILL to all of it."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.agent import reaper
from runctl.agent.folder import AttemptFolder
from runctl.agent.journal import Journal
from runctl.agent.link import ReaperLink
from runctl.agent.orders import Order
from runctl.errors import RecordError
from runctl.model.codec import build
from runctl.model.events import CommandExited, ExitRecord, StopBegun

KILL_AGAIN_S = 1.0
SAVING_SHARE = 0.5
"""Of the time that a deadline leaves, at most so much is the command's."""

_ADVICE: dict[int, str] = {
    signal.SIGKILL: "runctl did not send it; most often memory ran out",
    signal.SIGSEGV: "a fault in native code; run it with PYTHONFAULTHANDLER=1",
    signal.SIGBUS: "most often a full disk or /dev/shm behind mapped memory",
    signal.SIGILL: "a library was built for another processor",
}


class Stopper:
    """Carries out an order to end, once."""

    def __init__(
        self, link: ReaperLink, journal: Journal, grace: timedelta, stop_signal: str = "SIGTERM"
    ) -> None:
        self._link = link
        self._signal = signal.Signals[stop_signal]
        self._journal = journal
        self._grace_s = grace.total_seconds()
        self._kill_at: float | None = None
        self._killed_at = 0.0
        self._latest: float | None = None
        # An agent that comes back does not signal twice: the first was heard.
        self._has_begun = any(isinstance(body, StopBegun) for body in journal.bodies)

    def enforce(self, order: Order | None) -> None:
        if order is None:
            return
        now = time.monotonic()
        if self._kill_at is None:
            self._kill_at = now + self._grace_s
            self._begin(order)
        if order.deadline is not None:
            # Half of the time is for storing: what is saved too late to be stored is saved in vain.
            self._latest = self._latest or now + max(0.0, order.deadline - now) * SAVING_SHARE
            self._kill_at = min(self._kill_at, max(self._latest, self._killed_at))
        if order.is_now or now >= self._kill_at:
            self._link.send_signal(signal.SIGKILL, is_group=True)
            self._kill_at = self._killed_at = now + KILL_AGAIN_S

    def _begin(self, order: Order) -> None:
        if self._has_begun:
            return
        number = signal.Signals[order.signal] if order.signal else self._signal
        if not order.is_now:  # before it is noted: a slow disk must not delay it
            self._link.send_signal(number, is_group=order.signal is not None)
        self._journal.append(
            StopBegun(
                cause=order.cause,
                reason=order.reason,
                is_now=order.is_now,
                signal=number.name,
                trouble=order.trouble,
            )
        )


def read_exit(folder: AttemptFolder) -> ExitRecord:
    """Return the record that the reaper wrote."""
    found: dict[str, Any] | None = reaper.read_json(str(folder.exit))
    if found is None:
        raise RecordError(f"{folder.exit} cannot be read")
    return build(found | {key: _time(found[key]) for key in ("started_at", "ended_at")}, ExitRecord)


def explain_exit(told: CommandExited) -> str:
    """Say in words how the command ended; what is most often so, where no trouble is known."""
    record = told.exit
    if record.error:
        return f"the command could not be started: {record.error}"
    if record.signal is None:
        return f"the command exited with status {record.status}"
    core = ", core dumped" if record.is_core_dumped else ""
    advice = f"; {_ADVICE[record.signal]}" if record.signal in _ADVICE and not told.trouble else ""
    return f"the command was ended by {_signal_name(record.signal)}{core}{advice}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
