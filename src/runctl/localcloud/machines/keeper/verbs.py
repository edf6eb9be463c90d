"""What a keeper can be asked over its socket."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.control import Caller
    from runctl.localcloud.machines.keeper.keeper import Keeper
    from runctl.localcloud.machines.plan import Message


class Verbs:
    """One method for each ``op``; it answers at once, or when it is done."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def obey(self, caller: Caller, message: Message) -> None:
        """Do it; what cannot be done is answered with its reason."""
        act = getattr(self, f"do_{message['op']}", None)
        if act is None:
            caller.answer({"ok": False, "error": f"no such op: {message['op']}"})
            return
        try:
            act(caller, message)
        except (OSError, KeyError, ValueError) as fault:
            caller.answer({"ok": False, "error": str(fault)})

    def do_hello(self, caller: Caller, _: Message) -> None:
        """Say how the instance is."""
        keeper = self._keeper
        caller.answer(
            {
                "ok": True,
                "pid": os.getpid(),
                "init": keeper.world.init,
                "boots": keeper.boots,
                "is_frozen": keeper.world.is_frozen,
                "is_connected": keeper.world.is_connected,
            }
        )

    def do_events(self, caller: Caller, _: Message) -> None:
        """Tell this caller what happens from now on."""
        caller.hears_events = True
        caller.answer({"ok": True})

    def do_listeners(self, caller: Caller, _: Message) -> None:
        """Give the sockets that listen in the instance for the cloud."""
        sockets = self._keeper.world.listeners
        names = [name for name in sockets if name != "ssh"]
        caller.answer({"ok": True, "names": names}, [sockets[name].fileno() for name in names])

    def do_exec(self, caller: Caller, message: Message) -> None:
        """Start a command, once for each id."""
        caller.answer({"ok": True, "status": self._keeper.commands.start(message["request"])})

    def do_signal(self, caller: Caller, message: Message) -> None:
        """Send a signal to a command."""
        is_running = self._keeper.commands.signal(message["id"], message["number"])
        caller.answer({"ok": True, "is_running": is_running})

    def do_down(self, caller: Caller, message: Message) -> None:
        """Stop, power off or reboot; answered once it is done."""
        self._keeper.when_down(lambda: caller.answer({"ok": True}))
        self._keeper.go_down(message["reason"], message["grace_s"])
        if message["grace_s"] <= 0:
            self._keeper.kill()

    def do_freeze(self, caller: Caller, message: Message) -> None:
        """Stop all processes where they are, or let them go on."""
        self._keeper.set_frozen(is_frozen=message["is_frozen"])
        caller.answer({"ok": True})

    def do_network(self, caller: Caller, message: Message) -> None:
        """Pull the cable, or put it in."""
        self._keeper.world.set_connected(is_connected=message["is_connected"])
        caller.answer({"ok": True})
