"""The least of worlds: processes of the host, with homes, tools and an address of their own."""

from __future__ import annotations

import os

from runctl.localcloud.machines.keeper import channel, kernel, processes, runner, skeleton
from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper.faults import Step, leave
from runctl.localcloud.machines.keeper.manner import CONSOLE, MARK, NONE, POWER, Manner
from runctl.localcloud.machines.keeper.plain_furnishing import TOOLS, furnish
from runctl.localcloud.machines.keeper.world import World, forget_all_but

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Plan


class PlainWorld(World):
    """Has nothing of its own that the kernel would keep apart."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        super().__init__(folder, plan)
        self._root = folder.at(places.DISK, "root")
        path = f"{self._root}{TOOLS}:{os.environ.get('PATH') or os.defpath}"
        self._manner = Manner(NONE, self._root, path, {MARK: folder.path})

    @property
    def root(self) -> str:
        """What comes before a path of the instance, for those in it."""
        return self._root

    def boot(self) -> Channel:
        """Start the first process; return how to speak with it."""
        ours, theirs = channel.pair()
        with Step("furnish"):
            self._furnish()
        self.init = os.fork()
        if self.init == 0:
            self._be_init(theirs)
        theirs.close()
        self.is_first_boot = False
        return ours

    def processes(self) -> list[int]:
        """Return all processes of the instance."""
        return [self.init, *processes.descendants(self.init)]

    def sweep(self) -> None:
        """End what the first process has left behind: it was adopted by the keeper."""
        processes.kill_descendants()

    def _furnish(self) -> None:
        skeleton.lay(self._root, self._plan["login"], has_users=False)
        for name in ("tmp", "run"):
            skeleton.empty(os.path.join(self._root, name))
        done = self._folder.at(places.DISK, "furnished")
        if not os.path.exists(done):
            furnish(self._plan, self._root, self._folder.at(places.HOST_KEYS), self._manner)
            os.close(os.open(done, os.O_CREAT | os.O_WRONLY, 0o644))
        for name in (POWER, CONSOLE):
            os.makedirs(os.path.dirname(f"{self._root}/{name}"), exist_ok=True)
            os.mkfifo(f"{self._root}/{name}", 0o600)

    def _be_init(self, theirs: Channel) -> None:
        """Be the first process; never returns."""
        try:
            self.cgroup.join()
            forget_all_but(theirs.fileno())
            os.setsid()
            kernel.adopt_orphans()
            runner.serve(theirs, self._manner, "init")
            processes.kill_descendants()
        finally:
            leave()
