"""What runs inside the instance for the keeper: starts commands, reaps, tells.

It is the instance's first process, or a companion of systemd where that is the first.
"""

from __future__ import annotations

import os
import signal

from runctl.localcloud.machines.keeper import kernel, launching, processes
from runctl.localcloud.machines.keeper.reactor import Reactor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.manner import Manner
    from runctl.localcloud.machines.plan import Message


class Runner:
    """Serves the keeper until the keeper is gone."""

    def __init__(self, channel: Channel, manner: Manner) -> None:
        self._channel = channel
        self._manner = manner
        self._names: dict[int, str] = {}
        self._pids: dict[str, int] = {}
        """Also of those whose group may outlive them, until the keeper is through with them."""
        self._reactor = Reactor()
        self._power = _listen(manner.power)
        self._reactor.watch(self._power, self._hear_power)
        self._console = _listen(manner.console)
        self._reactor.watch(self._console, self._hear_console)
        self._reactor.watch(channel.fileno(), self._obey)
        self._wake = _wake_on_children()
        self._reactor.watch(self._wake, self._wake_up)

    def run(self) -> None:
        """Serve; return when the keeper is gone."""
        self._reactor.run()

    def _obey(self) -> None:
        received = self._channel.receive()
        if received is None:
            self._reactor.is_over = True
            return
        message, descriptors = received
        try:
            self._do(message, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _do(self, message: Message, descriptors: list[int]) -> None:
        if "run" in message:
            pid = launching.start(descriptors, self._manner)
            self._names[pid], self._pids[message["run"]] = message["run"], pid
            self._channel.send({"started": message["run"], "pid": pid})
        elif "signal" in message:
            self._signal(message["signal"], message["number"])
        elif "forget" in message:
            self._pids.pop(message["forget"], None)
        elif "all" in message:
            processes.signal_others(message["all"])
            self._reap()

    def _signal(self, name: str, number: int) -> None:
        pid = self._pids.get(name)
        if pid is None or _send(os.killpg, pid, number) or pid not in self._names:
            return
        _send(os.kill, pid, number)  # it is so new that it has no group of its own yet

    def _wake_up(self) -> None:
        os.read(self._wake, 4096)
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._channel.send({"alone": True})
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                self._channel.send({"ended": name, "status": status})

    def _hear_power(self) -> None:
        for line in os.read(self._power, 4096).decode(errors="replace").splitlines():
            self._channel.send({"power": line})

    def _hear_console(self) -> None:
        self._channel.send({"console": os.read(self._console, 4096).decode(errors="replace")})


def serve(channel: Channel, manner: Manner, name: str) -> None:
    """Be the runner; the instance ends with it."""
    kernel.set_name(name)
    Runner(channel, manner).run()


def _listen(pipe: str) -> int:
    """Return what can be read whenever somebody writes into the pipe; nobody ever waits for it."""
    return os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _wake_on_children() -> int:
    """Return what can be read whenever a child has ended."""
    heard, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return heard


def _send(kill: Callable[[int, int], None], pid: int, number: int) -> bool:
    try:
        kill(pid, number)
    except ProcessLookupError:
        return False
    return True
