"""What an instance runs in: namespaces, cgroup, network, root; and its first process."""

from __future__ import annotations

import os
import signal
import socket

from runctl.localcloud.machines.keeper import channel, kernel, runner
from runctl.localcloud.machines.keeper.building import Building
from runctl.localcloud.machines.keeper.cgroups import Cgroup
from runctl.localcloud.machines.keeper.faults import StepFailed, leave
from runctl.localcloud.machines.keeper.spaces import Spaces
from runctl.localcloud.machines.keeper.wiring import Wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Plan

_SYSTEMD = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")
_DROPPED = (16, 17, 25)
"""Loading modules, raw input and output, setting the clock: they would reach the host."""


class World:
    """The outer side: lives as long as the keeper."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._users: str | None = plan["users"]
        self.spaces = Spaces()
        self.cgroup = Cgroup(f"rcl{plan['cloud_id']}/{plan['instance_id']}")
        self.wiring = Wiring(plan)
        self.listeners: dict[str, socket.socket] = {}
        self.is_first_boot = True
        self.is_frozen = False
        self.is_connected = True
        self.init = 0
        """The first process, as the host numbers it; 0 before there is one."""

    @property
    def has_users(self) -> bool:
        """Whether users other than root are real ones."""
        return self._users != "single"

    def prepare(self) -> None:
        """Make what outlives a reboot; raise ``StepFailed``."""
        with StepFailed.named("namespaces"):
            self.spaces.make(users=self._users, has_network=True)
        with StepFailed.named("cgroup"):
            self.cgroup.make(self._plan["memory_bytes"])
        with StepFailed.named("network"):
            self.listeners = self.wiring.listen_outside()
            self.wiring.plug(self.spaces.descriptors["net"])

    def boot(self) -> Channel:
        """Start the first process in a fresh root; return how to speak with what is inside."""
        ours, theirs = channel.pair()
        go = os.pipe2(os.O_CLOEXEC)
        stage = os.fork()
        if stage == 0:
            self._be_stage(theirs, go[0])
        theirs.close()
        os.close(go[0])
        try:
            self._hear_birth(ours)
            os.waitpid(stage, 0)
            os.write(go[1], b"1")
        finally:
            os.close(go[1])
        return ours

    def ssh_listener(self) -> socket.socket | None:
        """Return where ssh connections come in; None where they cannot."""
        return self.listeners.get("ssh")

    def set_connected(self, *, is_connected: bool) -> None:
        """Cut the network, or restore it."""
        self.wiring.set_connected(is_connected=is_connected)
        self.is_connected = is_connected

    def set_frozen(self, *, is_frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        self.cgroup.freeze(is_frozen=is_frozen)
        self.is_frozen = is_frozen

    def thaw(self) -> None:
        """Let them go on, so that they can be killed."""
        if self.is_frozen:
            self.set_frozen(is_frozen=False)

    def end(self) -> None:
        """Take down what would outlive the keeper."""
        self.wiring.unplug()
        self.cgroup.remove()

    def _hear_birth(self, ours: Channel) -> None:
        awaited = {"init", "built"} | ({"companion"} if self._has_systemd else set())
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

    @property
    def _has_systemd(self) -> bool:
        return self._plan["init"] == "systemd"

    def _be_stage(self, theirs: Channel, go: int) -> None:
        """Make the namespaces of one boot, start the first process in them; never returns."""
        try:
            self.cgroup.join()
            self.spaces.enter()
            kernel.unshare("mnt", "uts", "ipc", "pid", "cgroup")
            built = os.pipe2(os.O_CLOEXEC)
            init = os.fork()
            if init == 0:
                self._be_init(theirs, go, built[1])
            theirs.send({"init": init})
            if self._has_systemd:
                os.close(built[1])
                self._add_companion(theirs, built[0])
        except OSError as fault:
            theirs.send({"step": "boot", "fault": str(fault)})
        finally:
            leave()

    def _add_companion(self, theirs: Channel, built: int) -> None:
        if not os.read(built, 1):
            return  # the first process has said why
        companion = os.fork()
        if companion == 0:
            _forget_all_but(theirs.fileno())
            os.chdir("/")
            runner.serve(theirs, runner.POWER, is_first=False, has_users=self.has_users)
            kernel.power_off()
            os._exit(0)
        theirs.send({"companion": companion})

    def _be_init(self, theirs: Channel, go: int, built: int) -> None:
        """Build the root, and be the first process; never returns."""
        try:
            _forget_all_but(theirs.fileno(), go, built)
            os.setsid()
            if self._build(theirs):
                if self._has_systemd:
                    os.write(built, b"1")
                os.read(go, 1)
                self._run_init(theirs)
        finally:
            leave()

    def _build(self, theirs: Channel) -> bool:
        """Build the root, and say how it went."""
        is_owner = self._users is not None
        building = Building(self._folder, self._plan, has_users=self.has_users, is_owner=is_owner)
        try:
            self.wiring.set_up_inside()
            listeners = self.wiring.listen() if self.is_first_boot else {}
            building.build()
        except OSError as fault:
            theirs.send({"step": building.step, "fault": str(fault)})
            return False
        kernel.drop_capabilities(_DROPPED)
        theirs.send({"built": list(listeners)}, [one.fileno() for one in listeners.values()])
        for one in listeners.values():
            one.close()
        return True

    def _run_init(self, theirs: Channel) -> None:
        if not self._has_systemd:
            runner.serve(theirs, runner.POWER, is_first=True, has_users=self.has_users)
            return
        kernel.die_with_parent(signal.SIGKILL)
        program = next(filter(os.path.exists, _SYSTEMD))
        os.execve(program, [program, "--show-status=false"], {"container": "local-cloud"})


def _forget_all_but(*kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # it was the listing's own
