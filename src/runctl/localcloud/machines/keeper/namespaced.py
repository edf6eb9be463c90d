"""A world of namespaces: the root tier's, and the best of the rootless ones."""

from __future__ import annotations

import os
import signal

from runctl.localcloud.machines.keeper import channel, kernel, runner
from runctl.localcloud.machines.keeper.building import Building
from runctl.localcloud.machines.keeper.faults import Step, leave
from runctl.localcloud.machines.keeper.inside import run_inside
from runctl.localcloud.machines.keeper.manner import Manner
from runctl.localcloud.machines.keeper.spaces import SINGLE, Spaces
from runctl.localcloud.machines.keeper.wiring import NOTICES
from runctl.localcloud.machines.keeper.world import World, forget_all_but

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Message, Plan

_SYSTEMD = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")
_DROPPED = (16, 17, 25)
"""Loading modules, raw input and output, setting the clock: they would reach the host."""


class NamespacedWorld(World):
    """Has a root, processes and a network of its own."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        super().__init__(folder, plan)
        self._users: str | None = plan["users"]
        self._has_users = plan["users"] != SINGLE
        self._manner = Manner.of_namespace(has_users=self._has_users)
        self._spaces = Spaces()

    @property
    def sshd_user(self) -> str:
        """Who sshd is run by: root where there are others for it to become."""
        return "root" if self._has_users else self._plan["login"]

    def prepare(self) -> None:
        """Make what outlives a reboot; raise ``StepFailed``."""
        super().prepare()
        with Step("namespaces"):
            self._spaces.make(users=self._users, has_network=True)
        with Step("network"):
            self.wiring.plug(self._spaces.descriptors["net"])

    def inside(self, work: Callable[[], Message]) -> Message:
        """Do something where the instance's files are; raise ``OSError`` as it does."""
        return run_inside(self.init, self._users is not None, work)

    def enter(self) -> None:
        """Be somebody of the instance, with the calling process."""
        self._spaces.enter()

    def boot(self) -> Channel:
        """Start the first process in a fresh root; return how to speak with what is inside."""
        if not self.is_first_boot:
            self.volumes.renumber()
        ours, theirs = channel.pair()
        go = os.pipe2(os.O_CLOEXEC)
        stage = os.fork()
        if stage == 0:
            self._be_stage(theirs, go[0])
        theirs.close()
        os.close(go[0])
        try:
            self._hear_birth(ours, {"init", "built"})
            os.waitpid(stage, 0)
            os.write(go[1], b"1")
        finally:
            os.close(go[1])
        return ours

    @property
    def _has_systemd(self) -> bool:
        return self._plan["init"] == "systemd"

    def _be_stage(self, theirs: Channel, go: int) -> None:
        """Make the namespaces of one boot, start the first process in them; never returns."""
        try:
            self.cgroup.join()
            self._spaces.enter()
            kernel.unshare("mnt", "uts", "ipc", "pid", "cgroup")
            init = os.fork()
            if init == 0:
                self._be_init(theirs, go)
            theirs.send({"init": init})
        except OSError as fault:
            theirs.send({"step": "boot", "fault": str(fault)})
        finally:
            leave()

    def _be_init(self, theirs: Channel, go: int) -> None:
        """Build the root, and be the first process; never returns."""
        try:
            forget_all_but(theirs.fileno(), go)
            os.setsid()
            if self._build(theirs):
                os.read(go, 1)
                self._run_init(theirs)
        finally:
            leave()

    def _build(self, theirs: Channel) -> bool:
        """Build the root, and say how it went."""
        is_owner = self._users is not None
        building = Building(
            self._folder,
            self._plan,
            self.volumes.devices,
            has_users=self._has_users,
            is_owner=is_owner,
        )
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
            runner.serve(theirs, self._manner, "init")
            return
        if os.fork() == 0:
            # A child of systemd's: one that ends unseen would hold up its shutdown.
            forget_all_but(theirs.fileno())
            runner.serve(theirs, self._manner, "companion")
            kernel.power_off()
        kernel.die_with_parent(signal.SIGKILL)
        program = next(filter(os.path.exists, _SYSTEMD))
        environment = {"container": "local-cloud", "NOTIFY_SOCKET": "@" + NOTICES[1:]}
        os.execve(program, [program, "--show-status=false"], environment)
