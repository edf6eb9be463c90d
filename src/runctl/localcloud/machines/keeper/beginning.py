"""How a keeper begins: apart from whoever started it, alone, and with word of how it went."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper import kernel, removing
from runctl.localcloud.machines.keeper.faults import StepFailed, leave
from runctl.localcloud.machines.keeper.folder import Folder
from runctl.localcloud.machines.keeper.keeper import Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message

_PATIENCE_S = 10.0


def main(argv: list[str]) -> int:
    """Do what the first argument says."""
    if argv[1] == "remove":
        return removing.remove(argv[2], argv[3])
    if argv[1] == "inside":
        from runctl.localcloud.machines.keeper.wrapped import serve_inside  # noqa: PLC0415

        return serve_inside(int(argv[2]))
    return _start_apart(argv[2])


def _start_apart(path: str) -> int:
    """Start a keeper that outlives us; print what came of it as one JSON line."""
    heard, said = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(heard)
            _be_keeper(Folder(path), said)
        os._exit(0)
    os.close(said)
    with open(heard, encoding="utf-8") as file:
        outcome = file.read() or '{"ok": false, "step": "keeper", "words": "it ended at once"}'
    sys.stdout.write(outcome + "\n")
    return 0 if json.loads(outcome)["ok"] else 1


def _be_keeper(folder: Folder, said: int) -> None:
    """Keep the instance to its end; never returns."""
    try:
        _settle(folder)
        if _lock(folder) is None:
            _say(said, {"ok": True, "was_there": True})
            os._exit(0)
        keeper = _start(folder, said)
        if keeper is not None:
            keeper.serve()
    finally:
        leave()


def _lock(folder: Folder) -> int | None:
    """Become the only keeper; one that is ending is waited for."""
    deadline = time.monotonic() + _PATIENCE_S
    while (descriptor := folder.lock()) is None:
        if not os.path.exists(folder.at(places.ENDED)) or time.monotonic() > deadline:
            return None
        time.sleep(0.005)
    return descriptor


def _start(folder: Folder, said: int) -> Keeper | None:
    own = os.getpid()
    folder.write({"pid": own, "start_time": places.start_time(own)}, places.PID)
    if os.path.exists(folder.at(places.ENDED)):
        os.unlink(folder.at(places.ENDED))
    os.makedirs(folder.at(places.COMMANDS), exist_ok=True)
    try:
        keeper = Keeper(folder)
        keeper.start()
    except StepFailed as fault:
        _say(said, {"ok": False, "step": fault.step, "words": fault.words})
        return None
    _say(said, {"ok": True})
    return keeper


def _settle(folder: Folder) -> None:
    """Have nothing in common with who started us."""
    os.chdir("/")
    os.umask(0o022)
    log = os.open(folder.at(places.LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    kernel.adopt_orphans()
    kernel.set_name("keeper")


def _say(descriptor: int, outcome: Message) -> None:
    os.write(descriptor, json.dumps(outcome).encode())
    os.close(descriptor)
