"""The loop of the reaper: it holds the locks, keeps the agent alive, and reaps the command."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from runctl.agent.reaper.locks import holder_of, sign_lock, take_lock
from runctl.agent.reaper.names import AGENT_LOG, COMMAND, EXIT, OUTPUT, STARTED
from runctl.agent.reaper.processes import children_of, kill, spawn, start_ticks
from runctl.agent.reaper.records import note_birth, read_json, reserve, write_json

TYPE_CHECKING = False  # typing would cost as much memory as all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from resource import struct_rusage
    from typing import Any

    Fields = dict[str, Any]

LEFTOVER_POLL_S, LEFTOVER_GRACE_S, LEFTOVER_END_S = 0.01, 2.0, 5.0
END_S = 20.0
RESPAWN_S, RESPAWN_MAX_S, STABLE_S = 0.1, 30.0, 60.0
QUEUE_POLL_S = 0.5


class Reaper:
    """One attempt on this machine. Single-threaded: nothing here can race with itself."""

    def __init__(self, folder: str, agent: list[str], locks: list[str], holder: str) -> None:
        self.folder = folder
        self.agent_argv = agent
        self.lock_paths = locks
        self.holder = holder
        self.locks: list[int] = []
        self.agent_pid = 0
        self.agent_since = 0.0
        self.respawn_s = RESPAWN_S
        self.respawn_at = 0.0
        self.from_agent = self.to_agent = -1
        self.buffer = b""
        self.command_pid = 0
        self.started: Fields = {}
        self.exit: Fields | None = read_json(self.path(EXIT))
        # Started under a reaper that is gone: how it ended can no longer be known.
        self.is_bereaved = self.exit is None and os.path.exists(self.path(STARTED))
        self.is_done = False
        self.is_told_to_end = self.has_passed_it_on = False
        self.is_stopping = self.is_killing = False
        self.grace_s = LEFTOVER_GRACE_S
        self.leftovers: set[int] = set()
        self.polite_until = 0.0
        self.unfinished: Fields | None = None
        self.is_without_room = False
        # What is given to the command's end, where signals reach only who watches over it.
        self.end_argv: list[str] = []
        self.ender_pid, self.ender_until = 0, 0.0

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    # -- locks

    def take_locks(self) -> str | None:
        """Take all locks, or none and return who holds one."""
        for path in self.lock_paths:
            descriptor = take_lock(path)
            if descriptor is None:
                self.release_locks()
                return holder_of(path)
            self.locks.append(descriptor)
            sign_lock(descriptor, self.holder)
        return None

    def release_locks(self) -> None:
        while self.locks:
            os.close(self.locks.pop())

    # -- the loop

    def run(self) -> None:
        """Live until the agent says that the attempt is done."""
        wake_read = _install_signals(self.on_terminate)
        while not self.is_done:
            self.keep_agent()
            self.keep_locks()
            self.listen(wake_read)
            self.pass_on_terminate()
            self.reap()
            self.end_leftovers()
        self.release_locks()

    def listen(self, wake_read: int) -> None:
        readers = [wake_read] + ([self.from_agent] if self.from_agent >= 0 else [])
        ready, _, _ = select.select(readers, [], [], self.patience())
        if wake_read in ready:
            os.read(wake_read, 4096)
        if self.from_agent in ready:
            self.hear_agent()

    def patience(self) -> float | None:
        """Return for how long nothing but a signal or a word can change anything."""
        if self.unfinished is not None:
            return QUEUE_POLL_S if self.is_without_room else LEFTOVER_POLL_S
        if len(self.locks) < len(self.lock_paths):
            return QUEUE_POLL_S
        if not self.agent_pid:
            return max(0.0, self.respawn_at - time.monotonic())
        return None

    def keep_locks(self) -> None:
        if len(self.locks) < len(self.lock_paths) and self.take_locks() is None:
            note_birth(self.folder)  # the time in the queue was not the run's
            self.tell_agent("locked")

    def on_terminate(self) -> None:
        self.is_told_to_end = True

    def pass_on_terminate(self) -> None:
        """The machine is going down, or somebody wants us to end: the command hears it first."""
        if self.is_told_to_end and not self.has_passed_it_on:
            self.has_passed_it_on = True
            self.send_signal(signal.SIGTERM, "process")
            self.tell_agent("terminate")

    # -- the agent

    def keep_agent(self) -> None:
        if self.agent_pid or time.monotonic() < self.respawn_at:
            return
        read_ours, write_theirs = os.pipe()
        read_theirs, write_ours = os.pipe()
        argv = [*self.agent_argv, self.folder, str(read_theirs), str(write_theirs)]
        log = os.open(self.path(AGENT_LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        keep = (read_theirs, write_theirs)
        self.agent_pid, _ = spawn(argv, "/", dict(os.environ), log, keep=keep, is_agent=True)
        for descriptor in (log, read_theirs, write_theirs):
            os.close(descriptor)
        self.from_agent, self.to_agent = read_ours, write_ours
        self.agent_since, self.buffer = time.monotonic(), b""
        self.catch_up_agent()

    def catch_up_agent(self) -> None:
        """Tell a new agent what an earlier one may have been told."""
        if len(self.locks) == len(self.lock_paths):
            self.tell_agent("locked")
        if self.exit is not None:
            self.tell_agent("exited")
        if self.is_bereaved:
            self.tell_agent("lost")
        if self.is_told_to_end:
            self.tell_agent("terminate")

    def tell_agent(self, word: str) -> None:
        if self.to_agent >= 0:
            try:
                os.write(self.to_agent, f"{word}\n".encode())
            except (BrokenPipeError, BlockingIOError):
                pass  # it is going; the next one is told anew

    def hear_agent(self) -> None:
        data = os.read(self.from_agent, 4096)
        if not data:
            os.close(self.from_agent)
            self.from_agent = -1
            return
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self.obey(line.decode().split())

    def obey(self, words: list[str]) -> None:
        if words[0] == "start":
            self.start_command()
        elif words[0] == "signal":
            self.send_signal(int(words[1]), words[2])

    def agent_ended(self, status: int) -> None:
        """Done if it says so and nothing runs; else it died, and comes back."""
        self.close_agent()
        if status == 0 and not self.command_pid:
            self.is_done = True
            return
        if time.monotonic() - self.agent_since > STABLE_S:
            self.respawn_s = RESPAWN_S
        self.respawn_at = time.monotonic() + self.respawn_s
        self.respawn_s = min(RESPAWN_MAX_S, self.respawn_s * 2)

    def close_agent(self) -> None:
        for descriptor in (self.from_agent, self.to_agent):
            if descriptor >= 0:
                os.close(descriptor)
        self.agent_pid, self.from_agent, self.to_agent = 0, -1, -1

    # -- the command

    def start_command(self) -> None:
        """Start the command once; a second word to start is no mistake."""
        if self.command_pid or self.exit is not None or self.is_bereaved:
            return
        command = read_json(self.path(COMMAND)) or {}
        try:
            output = os.open(self.path(OUTPUT), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            reserve(self.path(STARTED))
            reserve(self.path(EXIT))
        except OSError:  # started without room for its record, it could never be told how it ended
            self.tell_agent("full")
            return
        self.started = {"at": time.time(), "monotonic": time.monotonic()}
        pid, error = spawn(command["argv"], command["cwd"], command["env"], output)
        os.close(output)
        self.started |= {"pid": pid, "ticks": start_ticks(pid), "reaper_pid": os.getpid()}
        if error:
            os.waitpid(pid, 0)
            self.finish(self.times() | {"status": 127, "signal": None, "error": error})
            return
        self.command_pid = pid
        self.grace_s = command["grace_s"]
        self.end_argv = command.get("end", [])
        write_json(self.path(STARTED), self.started)
        self.tell_agent("started")

    def send_signal(self, number: int, scope: str) -> None:
        self.is_stopping = True
        if number == signal.SIGKILL:
            self.is_killing = True
            self.polite_until = min(self.polite_until, time.monotonic())
        if self.command_pid:
            kill(os.killpg if scope == "group" else os.kill, self.command_pid, number)

    def reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.agent_pid:
                self.agent_ended(os.waitstatus_to_exitcode(status))
            elif pid == self.command_pid:
                self.command_ended(status, usage)
            elif pid == self.ender_pid:
                self.ender_pid = 0

    def command_ended(self, status: int, usage: struct_rusage) -> None:
        code = os.waitstatus_to_exitcode(status)
        exit_record = {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "is_core_dumped": os.WCOREDUMP(status),
            "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        } | self.last_words()
        self.command_pid = 0
        self.unfinished = self.times() | exit_record
        # On disk first: the record must not wait for those who are slow to go.
        self.write_exit(self.unfinished)
        if code < 0 and self.end_argv:
            self.start_ender()
        grace_s = self.grace_s if self.is_stopping else LEFTOVER_GRACE_S
        self.polite_until = time.monotonic() + (0.0 if self.is_killing else grace_s)
        self.end_leftovers()

    def start_ender(self) -> None:
        """End what the command has watched over: it was killed itself, and cannot any more."""
        log = os.open(self.path(AGENT_LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.ender_pid, error = spawn(self.end_argv, "/", dict(os.environ), log, is_agent=True)
        os.close(log)
        self.ender_until = time.monotonic() + END_S
        if error:
            os.waitpid(self.ender_pid, 0)
            self.ender_pid = 0

    def is_ending(self) -> bool:
        """Tell whether it is still being ended; who takes too long for it is ended as well."""
        if self.ender_pid and time.monotonic() > self.ender_until:
            kill(os.kill, self.ender_pid, signal.SIGKILL)
        return self.ender_pid != 0

    def last_words(self) -> Fields:
        """Return what may be known only a little after the command's own end."""
        told = {"was_told_to_end": self.is_told_to_end}
        return told | {"leftover_processes": len(self.leftovers)}

    def times(self) -> Fields:
        seconds = time.monotonic() - self.started["monotonic"]
        return {"started_at": self.started["at"], "ended_at": time.time(), "seconds": seconds}

    def finish(self, exit_record: Fields) -> None:
        """Tell the agent, once a record is on the disk; until then, try again."""
        if self.write_exit(exit_record):
            self.exit, self.unfinished = exit_record, None
            # Whoever hears that the command has ended may start the next one at once.
            self.release_locks()
            self.lock_paths = []
            self.tell_agent("exited")
        else:
            self.unfinished, self.is_without_room = exit_record, True

    def write_exit(self, exit_record: Fields) -> bool:
        try:
            write_json(self.path(EXIT), exit_record)
        except OSError:  # a full disk; an earlier record of the same end is good enough
            return os.path.exists(self.path(EXIT))
        return True

    def end_leftovers(self) -> None:
        """End what the command left behind: all who became our children, politely first."""
        if self.unfinished is None or self.is_ending():
            return
        pids, now = self.orphans(), time.monotonic()
        if not pids or now > self.polite_until + LEFTOVER_END_S:
            if sys.platform != "linux":  # there the group is all that can be known
                kill(os.killpg, self.started["pid"], signal.SIGKILL)
            self.finish(self.unfinished | self.last_words())
            return
        is_polite = now < self.polite_until
        for pid in pids - self.leftovers if is_polite else pids:
            kill(os.kill, pid, signal.SIGTERM if is_polite else signal.SIGKILL)
        self.leftovers |= pids

    def orphans(self) -> set[int]:
        return children_of(os.getpid()) - {self.agent_pid, self.ender_pid}


def _install_signals(on_terminate: Callable[[], None]) -> int:
    """Make every signal wake the loop; return the descriptor that it wakes by."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: on_terminate())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return wake_read
