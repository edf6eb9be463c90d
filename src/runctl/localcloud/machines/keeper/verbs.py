"""What a keeper can be asked over its socket."""

from __future__ import annotations

import errno
import os

from runctl.localcloud.machines.keeper import full_disk, shutdown_time
from runctl.localcloud.machines.keeper.volumes import evict, withdraw

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
            number = fault.errno if isinstance(fault, OSError) else None
            caller.answer({"ok": False, "error": str(fault), "errno": number})

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

    def do_up(self, caller: Caller, _: Message) -> None:
        """Answer once the instance is up."""
        keeper = self._keeper

        def answer() -> None:
            caller.answer({"ok": keeper.is_up, "error": "the instance has ended"})

        if keeper.is_up:
            answer()
        else:
            keeper.when_over(shutdown_time.REBOOT, answer)

    def do_events(self, caller: Caller, _: Message) -> None:
        """Tell this caller what happens from now on."""
        caller.hears_events = True
        caller.answer({"ok": True})

    def do_listeners(self, caller: Caller, _: Message) -> None:
        """Give the sockets that listen in the instance for the cloud."""
        sockets = self._keeper.world.listeners
        names = [name for name in sockets if name in ("imds", "endpoint", "proxy")]
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
        self._keeper.when_over(message["reason"], lambda: caller.answer({"ok": True}))
        self._keeper.go_down(message["reason"], message["grace_s"])
        if message["grace_s"] <= 0:
            self._keeper.kill()

    def do_freeze(self, caller: Caller, message: Message) -> None:
        """Stop all processes where they are, or let them go on."""
        self._keeper.set_frozen(is_frozen=message["is_frozen"])
        caller.answer({"ok": True})

    def do_disk(self, caller: Caller, message: Message) -> None:
        """Fill the disk, or free it."""
        keeper = self._keeper
        if keeper.plan["disk_image"] is None:
            raise OSError(errno.ENOTSUP, "the disk has no size of its own")
        keeper.world.inside(full_disk.fill if message["is_full"] else full_disk.free)
        caller.answer({"ok": True})

    def do_attach(self, caller: Caller, message: Message) -> None:
        """Attach a volume; answer with its node."""
        self._require_volumes()
        world = self._keeper.world
        device = world.volumes.add(message["volume"])
        world.inside(lambda: device.show(""))
        caller.answer({"ok": True, "node": device.node})

    def do_detach(self, caller: Caller, message: Message) -> None:
        """Detach a volume, if nothing in the instance uses it, or by force."""
        self._require_volumes()
        world = self._keeper.world
        device = world.volumes.find(message["volume_id"])
        if device is not None:
            is_forced = message["is_forced"]
            world.inside(lambda: withdraw(device, is_forced=is_forced))
            if is_forced:
                evict(device, world.processes())
            world.volumes.remove(message["volume_id"])
        caller.answer({"ok": True})

    def _require_volumes(self) -> None:
        if not self._keeper.plan["has_volumes"]:
            raise OSError(errno.ENOTSUP, "this tier has no volumes")

    def do_network(self, caller: Caller, message: Message) -> None:
        """Pull the cable, or put it in."""
        self._keeper.set_connected(is_connected=message["is_connected"])
        caller.answer({"ok": True})
