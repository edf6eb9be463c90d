"""Work that goes on after the answer: now on a few threads, or when its time has come.

Nothing here is durable. What must happen is always to be read off the records ("pending",
"stopping", …), and is asked for again when the cloud starts.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Lock, Thread
from time import monotonic

Work = Callable[[], None]
_LOG = logging.getLogger(__name__)
_THREADS = 12


class Jobs:
    """A pool of threads, and one that waits for the next time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="job")
        self._waiting: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        self._is_closed = False
        self._locks: dict[str, Lock] = {}
        self._timer = Thread(target=self._wait, name="timer", daemon=True)
        self._timer.start()

    def soon(self, work: Work) -> None:
        """Do it on another thread."""
        if not self._is_closed:
            self._pool.submit(self._do, work)

    def later(self, delay_s: float, work: Work) -> None:
        """Do it after a while."""
        with self._changed:
            heapq.heappush(self._waiting, (monotonic() + delay_s, next(self._numbers), work))
            self._changed.notify()

    def alone(self, name: str) -> Lock:
        """Return the lock of a thing, so that two jobs do not work on it at once."""
        with self._changed:
            return self._locks.setdefault(name, Lock())

    def forget(self, name: str) -> None:
        """Drop the lock of a thing that is gone."""
        with self._changed:
            self._locks.pop(name, None)

    def close(self) -> None:
        """Begin nothing more; wait for what is being done."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify()
        self._timer.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _wait(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and not self._is_due():
                    self._changed.wait(self._next_delay())
                if self._is_closed:
                    return
                _, _, work = heapq.heappop(self._waiting)
            self.soon(work)

    def _is_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= monotonic()

    def _next_delay(self) -> float | None:
        return max(0.0, self._waiting[0][0] - monotonic()) if self._waiting else None

    def _do(self, work: Work) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - one job's fault must not end the others' threads
            _LOG.exception("a job failed")
