"""What an instance runs in, as its keeper sees it."""

from __future__ import annotations

import errno
import os
import signal
import socket

from runctl.localcloud.machines.keeper import processes
from runctl.localcloud.machines.keeper.cgroups import Cgroup
from runctl.localcloud.machines.keeper.faults import Step, StepFailed
from runctl.localcloud.machines.keeper.volumes import Volumes
from runctl.localcloud.machines.keeper.wiring import Wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Message, Plan


class World:
    """The outer side: lives as long as the keeper. How it boots is the tier's."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self.cgroup = Cgroup(f"rcl{plan['cloud_id']}/{plan['instance_id']}")
        self.wiring = Wiring(plan)
        self.listeners: dict[str, socket.socket] = {}
        self.volumes = Volumes(folder, plan)
        self.is_first_boot = True
        self.is_frozen = False
        self.is_connected = True
        self.init = 0
        """The first process, as the host numbers it; 0 before there is one."""

    @property
    def sshd_user(self) -> str:
        """Who sshd is run by: root where there are others for it to become."""
        return self._plan["login"]

    @property
    def root(self) -> str:
        """What comes before a path of the instance, for those in it: nothing, if it has a root."""
        return ""

    def prepare(self) -> None:
        """Make what outlives a reboot; raise ``StepFailed``."""
        with Step("cgroup"):
            self.cgroup.make(self._plan["memory_bytes"])
        with Step("network"):
            self.listeners = self.wiring.listen_outside()
        with Step("volumes"):
            self.volumes.prepare()

    def boot(self) -> Channel:
        """Start the first process in a fresh root; return how to speak with what is inside."""
        raise NotImplementedError

    def enter(self) -> None:
        """Be somebody of the instance, with the calling process."""

    def processes(self) -> list[int]:
        """Return all processes of the instance, as the host numbers them."""
        return processes.of_namespace(self.init)

    def inside(self, work: Callable[[], Message]) -> Message:
        """Do something where the instance's files are; raise ``OSError`` as it does."""
        raise OSError(errno.ENOTSUP, f"{work.__name__}: not in the {self._plan['tier']} tier")

    def set_connected(self, *, is_connected: bool) -> None:
        """Cut the network, or restore it."""
        self.wiring.set_connected(is_connected=is_connected)
        self.is_connected = is_connected

    def set_frozen(self, *, is_frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        if not self.cgroup.freeze(is_frozen=is_frozen):
            processes.signal_all(self.processes, signal.SIGSTOP if is_frozen else signal.SIGCONT)
        self.is_frozen = is_frozen

    def kill(self) -> None:
        """End all processes at once."""
        if self.is_frozen:
            self.set_frozen(is_frozen=False)
        os.kill(self.init, signal.SIGKILL)

    def sweep(self) -> None:
        """End what the first process has left behind."""

    def end(self) -> None:
        """Take down what would outlive the keeper."""
        self.volumes.close()
        self.wiring.unplug()
        self.cgroup.remove()

    def _hear_birth(self, ours: Channel, awaited: set[str]) -> None:
        while awaited:
            received = ours.receive()
            if received is None:
                raise StepFailed("boot", "the first process ended before it was up")
            message, descriptors = received
            if "fault" in message:
                raise StepFailed(message["step"], message["fault"])
            self.init = message.get("init", self.init)
            if "built" in message:
                self._keep_listeners(message["built"], descriptors)
            awaited -= message.keys()
        self.is_first_boot = False

    def _keep_listeners(self, names: list[str], descriptors: list[int]) -> None:
        for name, descriptor in zip(names, descriptors, strict=True):
            self.listeners[name] = socket.socket(fileno=descriptor)


def forget_all_but(*kept: int) -> None:
    """Close what a fork has given us, but these and the standard streams."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # it was the listing's own
