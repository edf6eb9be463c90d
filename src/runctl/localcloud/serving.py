"""From a folder to a process that answers: the lock, the port, the tier, and the word "ready"."""

from __future__ import annotations

import faulthandler
import json
import logging
import logging.handlers
import os
import random
import resource
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from runctl.localcloud.daemon import Daemon
from runctl.localcloud.lock import FolderLock
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.probe import open_tier, sweep_trials
from runctl.localcloud.machines.spec import CloudPlace
from runctl.localcloud.machines.tier import Tier
from runctl.localcloud.place import (
    FolderRefused,
    Place,
    Stamp,
    make_folder,
    open_place,
    read_stamp,
)

_LOG = logging.getLogger(__name__)
_LOG_BYTES = 8 << 20
# Below those that the kernel gives to outgoing connections, which would take a port while we are
# not there to hold it.
_PORTS = range(21000, 32000)
_TRIES = 200
_BACKLOG = 512
_PATIENCE_S = 60.0


class StartRefused(Exception):
    """The cloud cannot be served; ``code`` is for programs."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True)
class Wish:
    """What ``serve`` was asked for."""

    folder: Path
    tier: str = "auto"
    port: int = 0
    """0: the one that it has, or any."""


def serve(wish: Wish) -> int:
    """Serve a folder until SIGTERM; tell on standard output, in one line, once it answers."""
    lock = FolderLock(wish.folder)
    try:
        make_folder(wish.folder)
        other = _take(lock, wish.folder)
        if other is not None:
            _say(other)
            return 0
        daemon, ready = _open(wish)
    except StartRefused as refusal:
        _say({"error": {"code": refusal.code, "message": str(refusal)}})
        return 1
    except (OSError, FolderRefused) as error:
        _say({"error": {"code": "folder", "message": f"{wish.folder}: {error}"}})
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.end())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    daemon.start()
    _say(ready)
    _leave_terminal(wish.folder)
    daemon.wait()
    daemon.close()
    return 0


def _take(lock: FolderLock, folder: Path) -> dict[str, Any] | None:
    """Take the lock; else return what the process that has it says of itself, once it answers."""
    end = time.monotonic() + _PATIENCE_S
    while not lock.take():
        try:
            stamp = read_stamp(folder)
            with socket.create_connection(("127.0.0.1", stamp.port), 1.0):
                return _ready(stamp, _pid_of(folder), is_already_running=True)
        except (OSError, ValueError, msgspec.MsgspecError):
            pass  # it has only just begun
        if time.monotonic() > end:
            raise StartRefused("stuck", f"another process holds {folder}, and does not answer")
        time.sleep(0.1)
    return None


def _open(wish: Wish) -> tuple[Daemon, dict[str, Any]]:
    _log_to(wish.folder)
    place = open_place(wish.folder)
    listener = _listen(place.stamp, wish.port)
    tier = _open_tier(place, wish.tier)
    stamp = msgspec.structs.replace(
        place.stamp,
        port=listener.getsockname()[1],
        tier=tier.report.name,
        users=tier.report.users,
    )
    place = place.with_stamp(stamp)
    return Daemon(place, tier, listener), _ready(stamp, os.getpid(), is_already_running=False)


def _listen(stamp: Stamp, wanted: int) -> socket.socket:
    if stamp.port and wanted not in (0, stamp.port):
        raise StartRefused("port", f"this cloud has the port {stamp.port}, which its instances use")
    port = stamp.port or wanted
    if port:
        try:
            return _bind(port)
        except OSError as error:
            code = "port" if stamp.port else "wish"
            raise StartRefused(code, f"the port {port} is taken: {error.strerror}") from error
    for candidate in random.SystemRandom().sample(_PORTS, _TRIES):
        try:
            return _bind(candidate)
        except OSError:
            continue  # somebody has it
    raise StartRefused("port", "there is no free port")


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _open_tier(place: Place, wanted: str) -> Tier:
    own = place.stamp.tier
    is_same = wanted in ("auto", own) or (wanted == "rootless" and own != "root")
    if own and not is_same:
        raise StartRefused("tier", f"this cloud has the tier {own}, and machines of it")
    cloud = CloudPlace(place.stamp.id, str(place.folder))
    sweep_trials(cloud.folder)
    try:
        return open_tier(own or wanted, cloud)
    except MachineError as error:
        raise StartRefused("tier", error.words) from error


def _ready(stamp: Stamp, pid: int, *, is_already_running: bool) -> dict[str, Any]:
    return {
        "address": f"http://127.0.0.1:{stamp.port}",
        "pid": pid,
        "tier": stamp.tier,
        "is_already_running": is_already_running,
    }


def _pid_of(folder: Path) -> int:
    return int((folder / "lock").read_text(encoding="ascii"))


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _log_to(folder: Path) -> None:
    path = folder / "cloud.log"
    log = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1)
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[log])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _LOG.info("starts as process %d, with %d descriptors for %d", os.getpid(), hard, soft)


def _leave_terminal(folder: Path) -> None:
    """Write to a file from now on: whoever started us has its answer, and may go."""
    own = os.open(folder / "cloud.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(own, descriptor)
    os.close(own)
    faulthandler.enable()
