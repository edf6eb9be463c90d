"""One thread that waits for descriptors and for times, and sleeps in between."""

from __future__ import annotations

import select
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_PATIENCE = 20


class Reactor:
    """Calls back when a descriptor can be read, or when its time has come."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: dict[int, tuple[float, Callable[[], None]]] = {}
        self._last_timer = 0
        self._faults: dict[int, int] = {}
        self.is_over = False

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call whenever there is something to read, or the other end is gone."""
        if descriptor in self._readers:
            self._poll.unregister(descriptor)
        self._readers[descriptor] = call
        self._faults.pop(descriptor, None)
        self._poll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """Watch it no more; to be called before it is closed."""
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, call: Callable[[], None]) -> int:
        """Call once, after a while; return what cancels it."""
        self._last_timer += 1
        self._timers[self._last_timer] = (monotonic() + seconds, call)
        return self._last_timer

    def cancel(self, timer: int | None) -> None:
        """Forget a timer; nothing happens where it is over."""
        if timer is not None:
            self._timers.pop(timer, None)

    def run(self) -> None:
        """Serve until ``is_over``."""
        while not self.is_over:
            self.run_once()

    def run_once(self) -> None:
        """Wait for one thing to happen, and do what is due."""
        for descriptor, _ in self._poll.poll(self._wait_s()):
            call = self._readers.get(descriptor)
            if call is not None and not _is_done(call):
                self._suspect(descriptor)
        now = monotonic()
        for number, (due, call) in sorted(self._timers.items(), key=lambda one: one[1][0]):
            if due <= now and self._timers.pop(number, None) is not None:
                _is_done(call)

    def close(self) -> None:
        """Let go of the kernel's side, in a child that needs its own."""
        self._poll.close()

    def _suspect(self, descriptor: int) -> None:
        """Give up what fails again and again, as it would keep us busy for ever."""
        self._faults[descriptor] = self._faults.get(descriptor, 0) + 1
        if self._faults[descriptor] >= _PATIENCE:
            self.forget(descriptor)

    def _wait_s(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(due for due, _ in self._timers.values()) - monotonic())


def _is_done(call: Callable[[], None]) -> bool:
    """Call; what it fails of goes to the log, and must not end an instance."""
    try:
        call()
    except Exception:  # noqa: BLE001 - one command's fault must not end all others
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        return False
    return True
