"""The keeper itself: starts the instance, serves, and sees it end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import sshd
from runctl.localcloud.machines.keeper.commands import Commands
from runctl.localcloud.machines.keeper.console import Console
from runctl.localcloud.machines.keeper.control import Caller, Control
from runctl.localcloud.machines.keeper.faults import Step, StepFailed
from runctl.localcloud.machines.keeper.first_boot import FirstBoot, write_host_keys
from runctl.localcloud.machines.keeper.power import Power
from runctl.localcloud.machines.keeper.reactor import Reactor
from runctl.localcloud.machines.keeper.verbs import Verbs
from runctl.localcloud.machines.keeper.worlds import make_world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Message

GRACE_S = 10.0
_UP_S = 60.0
"""After which a systemd that is still busy counts as up, as a slow unit does not hold up sshd."""
_SYSTEMD_SIGNALS = {"reboot": signal.SIGRTMIN + 5}
_SYSTEMD_POWEROFF = signal.SIGRTMIN + 4
REBOOT = "reboot"


class Keeper:
    """One instance, from its first boot to its end."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.plan = folder.plan()
        self.reactor = Reactor()
        self.console = Console(folder.at(places.CONSOLE))
        self.world = make_world(folder, self.plan)
        self.control = Control(folder, self.reactor, self._obey)
        self.commands = Commands(folder, self.reactor, self.control.tell)
        self.power = Power(self.reactor, self.go_down)
        self.sshd: sshd.Sshd | None = None
        self._verbs = Verbs(self)
        self._first_boot = FirstBoot(folder, self.plan, self.world.root)
        self._channel: Channel | None = None
        self._init_watch = -1
        self._asked: str | None = None
        self._deadline: int | None = None
        self._up_timer: int | None = None
        self.is_up = False
        self._when_up: list[Callable[[], None]] = []
        self._when_ended: list[Callable[[], None]] = []

    def start(self) -> None:
        """Boot for the first time; raise ``StepFailed``."""
        self.world.prepare()
        try:
            self.plan["authorized_keys"] += self._first_boot.authorized_keys
            with Step("host key"):
                write_host_keys(self._first_boot.host_keys(), self.folder.at(places.HOST_KEYS))
                public = sshd.make_host_key(self.folder, self.plan, self.world.enter)
            self._boot()
            self._listen(public)
            self._wait_until_up()
        except (StepFailed, OSError):
            self.world.end()
            raise

    def serve(self) -> None:
        """Serve until the instance has ended."""
        self.reactor.run()
        self.control.close()

    def go_down(self, what: str, grace_s: float = GRACE_S) -> None:
        """Ask all processes to end, kill them after a while, then do ``what``."""
        if self._asked is not None:
            return
        self._asked = what
        self.power.forget()
        self.control.tell({"event": "going down", "reason": what})
        if self.plan["init"] == "systemd":
            os.kill(self.world.init, _SYSTEMD_SIGNALS.get(what, _SYSTEMD_POWEROFF))
        else:
            self._send({"all": signal.SIGTERM})
        self._deadline = self.reactor.after(grace_s, self.kill)

    def kill(self) -> None:
        """End the instance's processes at once."""
        self.world.kill()

    @property
    def boots(self) -> int:
        """How often the instance has booted since it was made."""
        return self._first_boot.boots

    def set_frozen(self, *, is_frozen: bool) -> None:
        """Stop all processes where they are, or let them go on."""
        self.world.set_frozen(is_frozen=is_frozen)
        self._set_accepting()

    def set_connected(self, *, is_connected: bool) -> None:
        """Cut the network, or restore it."""
        self.world.set_connected(is_connected=is_connected)
        self._set_accepting()
        if self.sshd is not None and not self.world.wiring.has_switch:
            self.sshd.stall(is_stalled=not is_connected)

    def _set_accepting(self) -> None:
        """Where there is no cable to pull, connections wait at our door."""
        if self.sshd is not None:
            is_reachable = self.world.wiring.has_switch or self.world.is_connected
            self.sshd.accept(is_accepting=is_reachable and not self.world.is_frozen)

    def when_over(self, what: str, call: Callable[[], None]) -> None:
        """Call once the instance has ended, or for a reboot once it is up again."""
        (self._when_up if what == REBOOT else self._when_ended).append(call)

    def _boot(self) -> None:
        self._channel = self.world.boot()
        self.commands.channel = self._channel
        if self.sshd is not None:
            self.sshd.channel = self._channel
        self._init_watch = os.pidfd_open(self.world.init)
        self.reactor.watch(self._channel.fileno(), self._hear)
        self.reactor.watch(self._init_watch, self._see_end)
        self.console.say(f"[    0.000000] {self.plan['hostname']} boots")
        self._await_up()

    def _await_up(self) -> None:
        """See to it that ``_be_up`` is called once the instance is up, or not up in time."""
        notices = self.world.listeners.get("notices")
        if notices is None:
            self._be_up()
            return
        self.reactor.watch(notices.fileno(), lambda: self._hear_notice(notices))
        self._up_timer = self.reactor.after(_UP_S, self._be_up)

    def _hear_notice(self, notices: socket.socket) -> None:
        if b"READY=1" in notices.recv(65536).split(b"\n"):
            self._be_up()

    def _be_up(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self.reactor.cancel(self._up_timer)
        self._first_boot.begin(self.commands, self.console)
        self.control.tell({"event": "booted", "boots": self.boots})
        _call_all(self._when_up)

    def _wait_until_up(self) -> None:
        while not self.is_up and not self.reactor.is_over:
            self.reactor.run_once()
        if not self.is_up:
            raise StepFailed("boot", "the instance ended before it was up")

    def _listen(self, public: str | None) -> None:
        listener = self.world.listeners.get("ssh")
        if public is None or listener is None:
            return
        user, root = self.world.sshd_user, self.world.root
        self.sshd = sshd.Sshd(self.folder, self.reactor, listener, user, root)
        self.sshd.channel = self._channel
        self.console.show_login(self.plan["login"], len(self.plan["authorized_keys"]))
        self.console.show_host_keys(public)

    def _hear(self) -> None:
        assert self._channel is not None  # noqa: S101 - it is being watched
        received = self._channel.receive()
        if received is None:
            self.reactor.forget(self._channel.fileno())
            self.commands.end_all()  # nobody is left to say how they end
            return
        message = received[0]
        if "power" in message:
            self.console.say(self.power.hear(message["power"]))
        elif "console" in message:
            self.console.write(message["console"].encode())
        elif "alone" in message:
            if self._asked is not None and self.plan["init"] != "systemd":
                self.kill()
        elif message.get("ended", "").startswith(sshd.PREFIX):
            if self.sshd is not None:
                self.sshd.hear_end(message["ended"])
        else:
            self.commands.hear(message)

    def _see_end(self) -> None:
        """The first process has ended, and all others of the instance with it."""
        self.reactor.forget(self._init_watch)
        os.close(self._init_watch)
        status = os.waitpid(self.world.init, 0)[1]
        self.world.sweep()
        self.is_up = False
        self._hang_up()
        self.reactor.cancel(self._deadline)
        self.reactor.cancel(self._up_timer)
        sys.stderr.write(f"the first process ended with status {status:#x}\n")
        reason, self._asked = self._asked or _reason(status), None
        if reason == REBOOT:
            self._boot_again()
        else:
            self._end(reason)

    def _hang_up(self) -> None:
        assert self._channel is not None  # noqa: S101 - it was made with the process
        self.commands.end_all()
        self.reactor.forget(self._channel.fileno())
        self._channel.close()
        if self.sshd is not None:
            self.sshd.channel = None

    def _boot_again(self) -> None:
        try:
            self._boot()
        except (StepFailed, OSError) as fault:
            self.console.say(f"cannot boot again: {fault}")
            self._end("lost")

    def _end(self, reason: str) -> None:
        self.console.say(f"the instance has ended: {reason}")
        self.world.end()
        self.folder.write({"reason": reason, "time": time.time()}, places.ENDED)
        self.control.tell({"event": "ended", "reason": reason})
        _call_all(self._when_up + self._when_ended)
        self.reactor.is_over = True

    def _obey(self, caller: Caller, message: Message) -> None:
        self._verbs.obey(caller, message)

    def _send(self, message: Message) -> None:
        try:
            if self._channel is not None:
                self._channel.send(message)
        except OSError:
            pass  # its end will be seen


def _call_all(calls: list[Callable[[], None]]) -> None:
    waiting, calls[:] = list(calls), []
    for call in waiting:
        call()


def _reason(status: int) -> str:
    """Return what the kernel did to the first process when ``reboot(2)`` was called inside."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP:
        return REBOOT
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT:
        return "poweroff"
    return "lost"
