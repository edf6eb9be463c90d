"""One instance, as the cloud's own process sees it."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
from dataclasses import dataclass

from runctl.localcloud.machines import caller
from runctl.localcloud.machines.errors import MachineGone
from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper.commands import STATUS
from runctl.localcloud.machines.keeper.folder import Folder, start_time
from runctl.localcloud.machines.plan import Message, Plan
from runctl.localcloud.machines.results import CommandStatus, End, State
from runctl.localcloud.machines.spec import Volume

_GRACE_S = 10.0
_MARGIN_S = 30.0
_BOOT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """A command to be run inside, as a session of its own."""

    id: str
    """The same id twice is the same command: it is run once."""
    argv: tuple[str, ...]
    user: str = "root"
    cwd: str | None = None
    """The user's home where it is None; / where it is not there."""
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    stdin: str | None = None
    timeout_s: float | None = None
    """After which its process group is killed."""
    stdout_limit_bytes: int | None = None
    stderr_limit_bytes: int | None = None


class Machine:
    """An instance that was launched. Its methods raise ``MachineGone`` where it does not run."""

    def __init__(self, path: str) -> None:
        self.folder = Folder(path)
        self.plan: Plan = self.folder.plan()
        self.id = self.plan["instance_id"]

    @property
    def address(self) -> str:
        """Where the host reaches it."""
        return self.plan["address"]

    @property
    def ssh_port(self) -> int:
        """The port of ``address`` where sshd answers."""
        return self.plan["ssh_port"]

    @property
    def ssh_user(self) -> str:
        """Who can log in."""
        return self.plan["ssh_user"]

    @property
    def console(self) -> str:
        """The file that holds what it has printed on its console."""
        return self.folder.at(places.CONSOLE)

    @property
    def state(self) -> State:
        """How it is now."""
        end = self.end
        if end is None and self.keeper_pid is not None:
            return State.RUNNING
        end = end or self.end  # it may have been written in between
        return State.LOST if end is None or end.reason == "lost" else State.ENDED

    @property
    def end(self) -> End | None:
        """How it ended; None while it runs, or where its keeper could not say."""
        record = self.folder.read(places.ENDED)
        return None if record is None else End(record["reason"], record["time"])

    @property
    def keeper_pid(self) -> int | None:
        """The process of its keeper; None where that is gone, though its number may be reused."""
        record = self.folder.read(places.PID)
        if record is None or start_time(record["pid"]) != record["start_time"]:
            return None
        return int(record["pid"])

    def hello(self) -> Message:
        """Return what the keeper says of itself: ``pid``, ``init``, ``boots``, …"""
        return self._ask({"op": "hello"})

    def wait_until_up(self) -> None:
        """Return once it has booted; raise ``MachineGone`` where it ends instead."""
        caller.ask(self.folder.path, {"op": "up"}, _BOOT_S)

    def listeners(self) -> dict[str, socket.socket]:
        """Return what listens inside for the cloud: ``imds``, ``endpoint``, ``proxy``.

        The sockets are the caller's to accept on and to close; the keeper keeps its own, so that
        what connects while nobody accepts waits.
        """
        answer, descriptors = caller.ask_for_descriptors(self.folder.path, {"op": "listeners"})
        sockets = [socket.socket(fileno=one) for one in descriptors]
        return dict(zip(answer["names"], sockets, strict=True))

    def exec(self, request: CommandRequest) -> CommandStatus:
        """Start a command; return how it is doing, or how it went where it was run before."""
        message = {"op": "exec", "request": dataclasses.asdict(request)}
        return self._status(request.id, self._ask(message)["status"])

    def command(self, command_id: str) -> CommandStatus | None:
        """Return how a command is doing; None where there is none of that id."""
        status = self.folder.read(places.COMMANDS, command_id, STATUS)
        if status is not None and status["state"] == "running" and self.keeper_pid is None:
            # Read again: it may have ended, and its keeper after it, in between.
            status = self.folder.read(places.COMMANDS, command_id, STATUS) or status
            if status["state"] == "running":
                status = {**status, "state": "lost"}
        return None if status is None else self._status(command_id, status)

    def commands(self) -> list[str]:
        """Return the ids of all commands that it was asked to run."""
        return sorted(os.listdir(self.folder.at(places.COMMANDS)))

    def signal(self, command_id: str, number: int = signal.SIGKILL) -> bool:
        """Send a signal to a command's process group; return whether it was running."""
        answer = self._ask({"op": "signal", "id": command_id, "number": int(number)})
        return bool(answer["is_running"])

    def stop(self, grace_s: float = _GRACE_S) -> None:
        """Stop it as EC2 does: SIGTERM for all, SIGKILL after a while; its disk is kept."""
        try:
            self._go_down("stop", grace_s)
        except MachineGone:
            pass  # it has just ended by itself; its state says how

    def reboot(self, grace_s: float = _GRACE_S) -> None:
        """Boot it anew; returns once it is up."""
        self._go_down("reboot", grace_s)

    def freeze(self) -> None:
        """Stop all its processes where they are."""
        self._ask({"op": "freeze", "is_frozen": True})

    def thaw(self) -> None:
        """Let them go on."""
        self._ask({"op": "freeze", "is_frozen": False})

    def set_connected(self, *, is_connected: bool) -> None:
        """Cut its network, or restore it.

        What the cloud accepts from its listeners is the cloud's own to hold back.
        """
        self._ask({"op": "network", "is_connected": is_connected})

    def attach(self, volume: Volume) -> str:
        """Attach a volume, once; return its node, such as ``/dev/nvme2n1``.

        The node's number has nothing to do with the name that was asked for.
        """
        return str(self._ask({"op": "attach", "volume": dataclasses.asdict(volume)})["node"])

    def detach(self, volume_id: str, *, is_forced: bool = False) -> None:
        """Detach a volume; one that is not attached stays so.

        Raises ``VolumeBusy`` while it is mounted or open in the instance. Forced, it is unmounted
        from under those who use it, and they are killed.
        """
        self._ask({"op": "detach", "volume_id": volume_id, "is_forced": is_forced})

    def fill_disk(self) -> None:
        """Let its disk be full: every write fails with ENOSPC."""
        self._ask({"op": "disk", "is_full": True})

    def free_disk(self) -> None:
        """Give the space back."""
        self._ask({"op": "disk", "is_full": False})

    def _go_down(self, reason: str, grace_s: float) -> None:
        message = {"op": "down", "reason": reason, "grace_s": grace_s}
        caller.ask(self.folder.path, message, grace_s + _MARGIN_S)

    def _ask(self, message: Message) -> Message:
        return caller.ask(self.folder.path, message)

    def _status(self, command_id: str, status: Message) -> CommandStatus:
        stdout, stderr = (
            self.folder.at(places.COMMANDS, command_id, name) for name in ("stdout", "stderr")
        )
        return CommandStatus(**status, stdout=stdout, stderr=stderr)
