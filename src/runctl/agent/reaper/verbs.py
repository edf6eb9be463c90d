"""What the reaper can be asked: start an attempt, probe it, end what has outlived it."""

from __future__ import annotations

import json
import os
import sys
import time

from runctl.agent.reaper.locks import is_locked, take_lock
from runctl.agent.reaper.loop import LEFTOVER_POLL_S, Reaper
from runctl.agent.reaper.names import (
    AGENT_LOCK,
    AGENT_LOG,
    BIRTH,
    COMMAND,
    EXIT,
    LOCK,
    PLAN,
    SECRETS,
    STARTED,
)
from runctl.agent.reaper.processes import PR_SET_CHILD_SUBREAPER, kill_command, prctl
from runctl.agent.reaper.records import note_birth, read_json, write_json

TYPE_CHECKING = False  # typing would cost as much memory as all the rest
if TYPE_CHECKING:
    from typing import Any

    Fields = dict[str, Any]

PROBE_S = 0.5


def start(order: Fields) -> Fields:
    """Start an attempt in the background; return once its locks are taken, or refused."""
    folder = order["folder"]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if is_locked(f"{folder}/{LOCK}"):
        return {"answer": "started"}
    if order["secrets"] is not None:
        write_json(f"{folder}/{SECRETS}", order["secrets"])
    write_json(f"{folder}/{PLAN}", order["plan"])
    if not os.path.exists(f"{folder}/{BIRTH}"):
        note_birth(folder)
    answer_read, answer_write = os.pipe()
    if os.fork() == 0:
        os.close(answer_read)
        _live(order, answer_write)
    os.close(answer_write)
    with open(answer_read, "rb") as pipe:
        data = pipe.read()
    return json.loads(data) if data else {"answer": "failed", "error": "the reaper died"}


def _live(order: Fields, answer_write: int) -> None:
    """In the child: be the reaper. Never returns."""
    status = 1
    try:
        os.setsid()
        _detach(f"{order['folder']}/{AGENT_LOG}")
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        own_lock = _take_own_lock(f"{order['folder']}/{LOCK}")
        reaper = Reaper(order["folder"], order["agent"], order["locks"], order["holder"])
        holder = reaper.take_locks()
        answer = _answer(own_lock, holder, order["queue"])
        if answer["answer"] == "busy" and order["secrets"] is not None:
            forget(order["folder"])
        os.write(answer_write, json.dumps(answer).encode())
        os.close(answer_write)
        if answer["answer"] in ("started", "queued") and own_lock is not None:
            reaper.run()
        status = 0
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked must hear it
        _complain(answer_write, error)
    finally:
        os._exit(status)


def _complain(answer_write: int, error: Exception) -> None:
    try:
        answer = {"answer": "failed", "error": str(error)}
        os.write(answer_write, json.dumps(answer).encode())
    except OSError:  # it has had its answer; what is left is the log
        sys.excepthook(type(error), error, error.__traceback__)


def forget(folder: str) -> None:
    """Take away what a start has brought that was then refused, secrets first."""
    for name in (SECRETS, PLAN, BIRTH):
        try:
            os.unlink(f"{folder}/{name}")
        except FileNotFoundError:
            pass


def _take_own_lock(path: str) -> int | None:
    """Take the lock of the attempt; whoever only looks at it holds it for an instant."""
    deadline = time.monotonic() + PROBE_S
    while (descriptor := take_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(LEFTOVER_POLL_S)
    return descriptor


def _answer(own_lock: int | None, holder: str | None, is_queued: bool) -> Fields:
    if own_lock is None or holder is None:
        return {"answer": "started"}
    return {"answer": "queued" if is_queued else "busy", "holder": holder}


def _detach(log: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.chdir("/")


def probe(folder: str) -> Fields:
    """Return who is alive; locks are the proof, not pids."""
    return {
        "is_known": os.path.isdir(folder),
        "is_reaper_alive": is_locked(f"{folder}/{LOCK}"),
        "is_agent_alive": is_locked(f"{folder}/{AGENT_LOCK}"),
        "is_started": os.path.exists(f"{folder}/{STARTED}"),
        "exit": read_json(f"{folder}/{EXIT}"),
    }


def end(folder: str) -> Fields:
    """Kill a command whose reaper is gone, if it is the very process that was started."""
    started = read_json(f"{folder}/{STARTED}")
    if is_locked(f"{folder}/{LOCK}") or not started:
        return {"is_killed": False}
    is_killed = kill_command(started)
    end_argv = (read_json(f"{folder}/{COMMAND}") or {}).get("end")
    if end_argv:
        import subprocess  # noqa: PLC0415 - not for reapers

        subprocess.run(end_argv, stdout=subprocess.DEVNULL, check=False)
    return {"is_killed": is_killed}


def main(argv: list[str]) -> int:
    verbs = {"probe": probe, "end": end}
    answer = start(json.load(sys.stdin)) if argv[1] == "start" else verbs[argv[1]](argv[2])
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 0
