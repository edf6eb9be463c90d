"""A world made by bubblewrap: files and processes of its own, the host's network."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from runctl.localcloud.machines.keeper import channel, processes, runner, skeleton
from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper.accounts import PATH
from runctl.localcloud.machines.keeper.channel import Channel
from runctl.localcloud.machines.keeper.faults import Step, StepFailed, leave
from runctl.localcloud.machines.keeper.furnishing import Furnishing
from runctl.localcloud.machines.keeper.layering import copy_beneath
from runctl.localcloud.machines.keeper.manner import CONSOLE, POWER, SINGLE, Manner
from runctl.localcloud.machines.keeper.plain_furnishing import TOOLS, put_tools
from runctl.localcloud.machines.keeper.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Plan

_KEEPER = os.path.dirname(__file__)
_SOURCES = os.path.abspath(f"{_KEEPER}/../../../..")
_OPTIONS = (
    "--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--unshare-pid",
    "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent",
)  # fmt: skip


class WrappedWorld(World):
    """Its first process is bwrap's child."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        super().__init__(folder, plan)
        self._disk = folder.at(places.DISK)
        self._root_folder = folder.at(places.DISK, "root")
        self._etc = folder.at(places.DISK, "etc")
        self._inner = 0

    def boot(self) -> Channel:
        """Start bwrap, and what is in it; return how to speak with that."""
        with Step("furnish"):
            self._furnish()
        ours, theirs = channel.pair()
        info = os.pipe2(os.O_CLOEXEC)
        self.init = os.fork()
        if self.init == 0:
            self._be_bwrap(theirs.fileno(), info[1])
        theirs.close()
        os.close(info[1])
        with open(info[0], encoding="ascii") as file:
            said = file.read()
        if not said:
            raise StepFailed("bwrap", "it ended at once")
        self._inner = json.loads(said)["child-pid"]
        self._hear_birth(ours, {"built"})
        return ours

    def processes(self) -> list[int]:
        """Return all processes of the instance."""
        return processes.of_namespace(self._inner)

    def kill(self) -> None:
        """End all processes at once."""
        if self.is_frozen:
            self.set_frozen(is_frozen=False)
        os.kill(self._inner, signal.SIGKILL)

    def _furnish(self) -> None:
        root, login = self._root_folder, self._plan["login"]
        skeleton.lay(root, login, has_users=False)
        for name in ("tmp", "run"):
            skeleton.empty(os.path.join(root, name))
        if not os.path.exists(f"{self._disk}/furnished"):
            furnishing = Furnishing(
                self._plan, root, self._layer, has_users=False, path=f"{TOOLS}:{PATH}"
            )
            furnishing.furnish_names(self._folder.at(places.HOST_KEYS))
            put_tools(self._plan, root, f"/{POWER}", None)
            copy_beneath("/etc", self._etc)
            os.close(os.open(f"{self._disk}/furnished", os.O_CREAT | os.O_WRONLY, 0o644))
        for name in ("run/localcloud", "run/lock", "run/sshd"):
            os.makedirs(f"{root}/{name}")
        for name in (POWER, CONSOLE):
            os.mkfifo(f"{root}/{name}", 0o600)

    def _layer(self, path: str) -> str:
        return self._etc + path[4:] if path.startswith("/etc/") else self._root_folder + path

    def _be_bwrap(self, end: int, info: int) -> None:
        """Turn into bwrap; never returns."""
        try:
            self.cgroup.join()
            for descriptor in (end, info):
                os.set_inheritable(descriptor, True)
            argv = ["bwrap", *_OPTIONS, "--info-fd", str(info), *self._binds(), "--", *_inside(end)]
            os.execvp(argv[0], argv)
        finally:
            leave()

    def _binds(self) -> list[str]:
        words = ["--hostname", self._plan["hostname"], "--bind", self._root_folder, "/"]
        for tree in skeleton.trees(has_opt=False):
            if tree != "/etc":
                words += ["--ro-bind", tree, tree]
        words += ["--bind", self._etc, "/etc", "--proc", "/proc", "--dev", "/dev"]
        words += ["--symlink", f"/{CONSOLE}", "/dev/console"]
        for place in {os.path.realpath(sys.base_prefix), _SOURCES}:
            words += ["--ro-bind", place, place]
        for bind in self._plan["binds"]:
            kind = "--ro-bind" if bind["is_read_only"] else "--bind"
            words += [kind, bind["source"], bind["target"]]
        return [*words, "--chdir", "/"]


def serve_inside(end: int) -> int:
    """Be the first process of a wrapped world."""
    theirs = Channel(socket.socket(fileno=end))
    theirs.send({"built": []})
    runner.serve(theirs, Manner(SINGLE, "/", f"{TOOLS}:{PATH}", {}), "init")
    return 0


def _inside(end: int) -> list[str]:
    python = os.path.realpath(sys.executable)
    return [python, "-I", "-S", _KEEPER, "inside", str(end)]
