"""The reaper: parent of the training command, and the only one who knows how it ended.

It imports nothing but the standard library and does four things: it holds the locks,
keeps the agent alive, starts the command when the agent says so, and writes the exit
record to the local disk. All else, and everything that touches a network, is the agent's.

    python -I -S reaper.py start  < order.json    start an attempt; answers one JSON line
    python -I -S reaper.py probe FOLDER           who is alive, and the exit record
    python -I -S reaper.py end FOLDER             kill a command that outlived its reaper
"""

# The paths here are strings and the calls are os.*: pathlib and subprocess would double
# the memory of a process that lives as long as the training does.
import fcntl
import json
import os
import select
import signal
import sys
import time

LOCK, AGENT_LOCK = "reaper.lock", "agent.lock"
PLAN, SECRETS, COMMAND = "plan.json", "secrets.json", "command.json"
BIRTH, STARTED, EXIT = "birth.json", "started.json", "exit.json"
OUTPUT, AGENT_LOG = "output.log", "agent.log"

LEFTOVER_POLL_S, LEFTOVER_GRACE_S, LEFTOVER_END_S = 0.01, 2.0, 5.0
RESPAWN_S, RESPAWN_MAX_S, STABLE_S = 0.1, 30.0, 60.0
QUEUE_POLL_S = 0.5
PROBE_S = 0.5
RECORD_BYTES = 4096
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_OOM_SCORE = "500"  # where memory runs out, the command goes first, not its reaper


def write_json(path: str, value: object) -> None:
    """Write a file whole or not at all, and durably."""
    temporary = f"{path}.tmp"
    data = json.dumps(value).encode()
    # Not truncated before, but after: the room that reserve has taken must not be given back.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _write_all(descriptor, data)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    _sync_folder(os.path.dirname(path))


def reserve(path: str) -> None:
    """Take the room for one record, so that a disk that fills up meanwhile cannot refuse it."""
    descriptor = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _write_all(descriptor, b" " * RECORD_BYTES)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """A disk that fills up takes a part of it, and says so only at the next write."""
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: str) -> dict | None:  # type: ignore[type-arg]
    try:
        with open(path, "rb") as file:
            found: dict | None = json.loads(file.read())  # type: ignore[type-arg]
            return found
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def take_lock(path: str) -> int | None:
    """Return a descriptor that holds the lock until it is closed, or None if it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: str) -> bool:
    if not os.path.exists(path):
        return False
    descriptor = take_lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def start_ticks(pid: int) -> str | None:
    """Return what tells this process from a later one of the same number, where it is known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


def is_running(started: dict) -> bool:  # type: ignore[type-arg]
    """Tell whether the very process that was started is there, and not only unreaped."""
    if started["ticks"] is None:
        return _can_be_signalled(started["pid"])
    try:
        with open(f"/proc/{started['pid']}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] != b"Z" and fields[19].decode() == started["ticks"]


def _can_be_signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _prctl(option: int, value: int) -> None:
    """Ask the kernel, where it is Linux; elsewhere process groups must do."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - the agent and the client know this file too

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


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
        self.started: dict = {}  # type: ignore[type-arg]
        self.exit: dict | None = read_json(self.path(EXIT))  # type: ignore[type-arg]
        # Started under a reaper that is gone: how it ended can no longer be known.
        self.is_bereaved = self.exit is None and os.path.exists(self.path(STARTED))
        self.is_done = False
        self.is_told_to_end = self.has_passed_it_on = False
        self.is_stopping = self.is_killing = False
        self.grace_s = LEFTOVER_GRACE_S
        self.leftovers: set[int] = set()
        self.polite_until = 0.0
        self.unfinished: dict | None = None  # type: ignore[type-arg]
        self.is_without_room = False

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    # -- locks

    def take_locks(self) -> str | None:
        """Take all locks, or none and return who holds one."""
        for path in self.lock_paths:
            descriptor = take_lock(path)
            if descriptor is None:
                self.release_locks()
                return _holder_of(path)
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
        write_json(self.path(STARTED), self.started)
        self.tell_agent("started")

    def send_signal(self, number: int, scope: str) -> None:
        self.is_stopping = True
        if number == signal.SIGKILL:
            self.is_killing = True
            self.polite_until = min(self.polite_until, time.monotonic())
        if self.command_pid:
            _kill(os.killpg if scope == "group" else os.kill, self.command_pid, number)

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

    def command_ended(self, status: int, usage: "os.struct_rusage") -> None:  # type: ignore[name-defined]
        code = os.waitstatus_to_exitcode(status)
        exit_record = {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "is_core_dumped": os.WCOREDUMP(status),
            "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        }
        self.command_pid = 0
        self.unfinished = self.times() | exit_record
        # On disk first: the record must not wait for those who are slow to go.
        self.write_exit(self.unfinished)
        grace_s = self.grace_s if self.is_stopping else LEFTOVER_GRACE_S
        self.polite_until = time.monotonic() + (0.0 if self.is_killing else grace_s)
        self.end_leftovers()

    def times(self) -> dict:  # type: ignore[type-arg]
        seconds = time.monotonic() - self.started["monotonic"]
        return {"started_at": self.started["at"], "ended_at": time.time(), "seconds": seconds}

    def finish(self, exit_record: dict) -> None:  # type: ignore[type-arg]
        """Tell the agent, once a record is on the disk; until then, try again."""
        if self.write_exit(exit_record):
            self.exit, self.unfinished = exit_record, None
            self.tell_agent("exited")
        else:
            self.unfinished, self.is_without_room = exit_record, True

    def write_exit(self, exit_record: dict) -> bool:  # type: ignore[type-arg]
        try:
            write_json(self.path(EXIT), exit_record)
        except OSError:  # a full disk; an earlier record of the same end is good enough
            return os.path.exists(self.path(EXIT))
        return True

    def end_leftovers(self) -> None:
        """End what the command left behind: all who became our children, politely first."""
        if self.unfinished is None:
            return
        pids, now = self.orphans(), time.monotonic()
        if not pids or now > self.polite_until + LEFTOVER_END_S:
            if sys.platform != "linux":  # there the group is all that can be known
                _kill(os.killpg, self.started["pid"], signal.SIGKILL)
            self.finish(self.unfinished | {"leftover_processes": len(self.leftovers)})
            return
        is_polite = now < self.polite_until
        for pid in pids - self.leftovers if is_polite else pids:
            _kill(os.kill, pid, signal.SIGTERM if is_polite else signal.SIGKILL)
        self.leftovers |= pids

    def orphans(self) -> set[int]:
        return _children_of(os.getpid()) - {self.agent_pid}


def _children_of(parent: int) -> set[int]:
    """Return the living children of a process; none where there is no /proc."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return set()
    return {int(name) for name in names if name.isdigit() and _parent_of(name) == parent}


def _parent_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            return -1 if state == b"Z" else int(parent)  # a zombie only waits to be reaped
    except (OSError, ValueError):
        return -1


def _kill(send, target: int, number: int) -> None:  # type: ignore[no-untyped-def]
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        pass


def sign_lock(descriptor: int, holder: str) -> None:
    """Write who holds it, for those who look; a full disk costs them only the name."""
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, holder.encode())
    except OSError:
        pass


def _holder_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read() or "another run"


def _install_signals(on_terminate) -> int:  # type: ignore[no-untyped-def]
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


def spawn(
    argv: list[str],
    cwd: str,
    env: dict[str, str],
    output: int,
    *,
    keep: tuple[int, ...] = (),
    is_agent: bool = False,
) -> tuple[int, str | None]:
    """Start a process in a session of its own; return its pid, and why it could not be."""
    error_read, error_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, cwd, env, output, keep, error_write, is_agent)
    os.close(error_write)
    with open(error_read, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    return pid, error or None


def _become(argv, cwd, env, output, keep, error_write, is_agent) -> None:  # type: ignore[no-untyped-def]
    """In the child: become the program, or report why not. Never returns."""
    try:
        os.setsid()
        if not is_agent:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            _raise_oom_score()
        _reset_signals()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        os.chdir(cwd)
        os.execvpe(argv[0], argv, env)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear it
        os.write(error_write, _why_not(argv[0], error).encode(errors="replace"))
    finally:
        os._exit(127)


def _why_not(program, error) -> str:  # type: ignore[no-untyped-def]
    """Say which file is the trouble: of a script it is the one that its first line names."""
    if not isinstance(error, OSError) or not os.path.isfile(program):
        return str(error)
    with open(program, "rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!") or not os.access(program, os.X_OK):
        return f"{error.strerror}: {program}"
    interpreter = first[2:].strip().decode(errors="replace")
    return f"{error.strerror}: {interpreter!r}, which is named in the first line of {program}"


def _raise_oom_score() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OOM_SCORE)
    except OSError:
        pass


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


# ---------------------------------------------------------------- the three verbs


def start(order: dict) -> dict:  # type: ignore[type-arg]
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


def note_birth(folder: str) -> None:
    """Note since when the attempt uses up its time."""
    try:
        write_json(f"{folder}/{BIRTH}", {"monotonic": time.monotonic()})
    except OSError:  # a full disk: the time counts from when the agent looks
        pass


def _live(order: dict, answer_write: int) -> None:  # type: ignore[type-arg]
    """In the child: be the reaper. Never returns."""
    status = 1
    try:
        os.setsid()
        _detach(f"{order['folder']}/{AGENT_LOG}")
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
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


def _answer(own_lock: int | None, holder: str | None, is_queued: bool) -> dict:  # type: ignore[type-arg]
    if own_lock is None or holder is None:
        return {"answer": "started"}
    return {"answer": "queued" if is_queued else "busy", "holder": holder}


def _detach(log: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.chdir("/")


def probe(folder: str) -> dict:  # type: ignore[type-arg]
    """Return who is alive; locks are the proof, not pids."""
    return {
        "is_known": os.path.isdir(folder),
        "is_reaper_alive": is_locked(f"{folder}/{LOCK}"),
        "is_agent_alive": is_locked(f"{folder}/{AGENT_LOCK}"),
        "is_started": os.path.exists(f"{folder}/{STARTED}"),
        "exit": read_json(f"{folder}/{EXIT}"),
    }


def end(folder: str) -> dict:  # type: ignore[type-arg]
    """Kill a command whose reaper is gone, if it is the very process that was started."""
    started = read_json(f"{folder}/{STARTED}")
    if is_locked(f"{folder}/{LOCK}") or not started:
        return {"is_killed": False}
    return {"is_killed": kill_command(started)}


def kill_command(started: dict) -> bool:  # type: ignore[type-arg]
    """Kill the group of a command, if it is the very process that was started."""
    if started["ticks"] is None or start_ticks(started["pid"]) != started["ticks"]:
        return False
    _kill(os.killpg, started["pid"], signal.SIGKILL)
    return True


def main(argv: list[str]) -> int:
    verbs = {"probe": probe, "end": end}
    answer = start(json.load(sys.stdin)) if argv[1] == "start" else verbs[argv[1]](argv[2])
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
