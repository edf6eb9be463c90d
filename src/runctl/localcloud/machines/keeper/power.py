"""Timers of ``shutdown``, and how an instance goes down."""

from __future__ import annotations

import time

from runctl.localcloud.machines.keeper import shutdown_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.reactor import Reactor


class Power:
    """What ``shutdown`` has set; it does not outlive a reboot."""

    def __init__(self, reactor: Reactor, go_down: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._go_down = go_down
        self._timer: int | None = None

    def hear(self, line: str) -> str:
        """Do what a line says; return what there is to say about it."""
        now = time.localtime()
        seconds = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec
        try:
            what, delay_s = shutdown_time.parse(line, seconds)
        except ValueError:
            return f"shutdown: cannot understand {line!r}"
        self.forget()
        if what == shutdown_time.CANCEL:
            return "shutdown: cancelled"
        self._timer = self._reactor.after(delay_s, lambda: self._go_down(what))
        return f"shutdown: {what} in {delay_s:.0f} s"

    def forget(self) -> None:
        """Cancel what was set."""
        self._reactor.cancel(self._timer)
        self._timer = None
