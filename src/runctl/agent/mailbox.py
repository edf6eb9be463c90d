"""What reaches a running attempt through the ledger, and its own sign of life."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runctl.agent.journal import retry_until_done
from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause, Heartbeat, Phase
from runctl.store.blobs import Clock
from runctl.store.ledger import Ledger
from runctl.store.pace import pace_of


class Mailbox:
    """Reads requests, sees a later claim, and beats."""

    def __init__(
        self, ledger: Ledger, run_id: str, attempt: int, orders: Orders, clock: Clock, folder: Path
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._attempt = attempt
        self._orders = orders
        self._clock = clock
        self._folder = folder
        self._pace = pace_of(ledger.objects.url)
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailbox", daemon=True)
        self._since = clock()
        self.phase: Phase | None = None
        self.count_log_bytes: Callable[[], int] = lambda: 0

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._is_ending.set()

    def _run(self) -> None:
        beat_at = 0.0
        while not self._is_ending.wait(self._pace.mailbox_s):
            retry_until_done(self._look, is_ended=self._is_ending)
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + self._pace.beat_s
                retry_until_done(self._beat, is_ended=self._is_ending)

    def _look(self) -> None:
        if self._ledger.is_claimed(self._run_id, self._attempt + 1):
            reason = f"attempt {self._attempt + 1} was claimed"
            self._orders.give(Order(Cause.SUPERSEDED, reason, is_now=True))
        for request in self._ledger.requests(self._run_id):
            if request.attempt == self._attempt:
                self._orders.give(Order(Cause.STOP, request.reason, request.is_now))

    def _beat(self) -> None:
        self._ledger.beat(
            self._run_id,
            Heartbeat(
                at=self._clock(),
                attempt=self._attempt,
                phase=self.phase,
                log_bytes=self.count_log_bytes(),
                rss_bytes=own_rss_bytes(),
                disk_free_bytes=shutil.disk_usage(self._folder).free,
                load=os.getloadavg()[0],
            ),
        )


def own_rss_bytes() -> int:
    """Return the memory this process holds now; its peak where that cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
