"""The reaper with real processes: it alone knows how a command ended, and it never forgets.

The agent is a stub (an agent's command line is data to the reaper); the limits on waiting only
guard against hanging.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runctl.agent import reaper
from runctl.agent.reaper import records, verbs

REAPER = [sys.executable, "-I", "-S", str(Path(reaper.__file__).with_name("__main__.py"))]
STUB = Path(__file__).with_name("stub_agent.py")
GUARD_S = 60.0
RSS_LIMIT_BYTES = 20 * 1024**2
ON_LINUX = sys.platform == "linux"

Json = dict[str, Any]


def until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + GUARD_S
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process lives; what has ended and waits to be reaped does not."""
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state = listed.stdout.strip()
    return bool(state) and not state.startswith("Z")


class Attempt:
    """One attempt in a folder of its own."""

    def __init__(self, home: Path, name: str = "attempt") -> None:
        self.home = home / name
        self.home.mkdir()
        self.folder = self.home / "attempt"
        self.locks: list[Path] = []
        self.holder = f"run {name}"
        self.agent = [sys.executable, "-I", str(STUB)]

    def start(
        self,
        argv: Sequence[str],
        *,
        grace_s: float = 10.0,
        queue: bool = False,
        env: Mapping[str, str] = os.environ,
    ) -> Json:
        wanted = {"argv": list(argv), "cwd": str(self.home), "env": dict(env), "grace_s": grace_s}
        (self.home / "wanted.json").write_text(json.dumps(wanted))
        order = {
            "folder": str(self.folder),
            "plan": {"run": 1},
            "secrets": {"TOKEN": "x"},
            "agent": self.agent,
            "locks": [str(path) for path in self.locks],
            "holder": self.holder,
            "queue": queue,
        }
        return self._ask("start", stdin=json.dumps(order))

    def probe(self) -> Json:
        return self._ask("probe", str(self.folder))

    def end(self) -> Json:
        return self._ask("end", str(self.folder))

    def _ask(self, verb: str, *arguments: str, stdin: str = "") -> Json:
        done = subprocess.run(
            [*REAPER, verb, *arguments], input=stdin, capture_output=True, text=True, check=True
        )
        answer: Json = json.loads(done.stdout)
        assert done.stderr == ""
        return answer

    def send(self, number: int, scope: str = "process") -> None:
        part = self.folder / "signals" / "one.part"
        part.write_text(json.dumps([int(number), scope]))
        part.rename(self.folder / "signals" / "one.json")

    def read(self, name: str) -> Json:
        return reaper.read_json(str(self.folder / name)) or {}

    @property
    def output(self) -> str:
        path = self.folder / reaper.OUTPUT
        return path.read_text() if path.exists() else ""

    @property
    def reaper_pid(self) -> int:
        return int(self.read(reaper.STARTED)["reaper_pid"])

    @property
    def agent_pids(self) -> list[int]:
        path = self.folder / "agent-lives"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait_started(self) -> None:
        until(lambda: self.read(reaper.STARTED), "the command's start")

    def wait_printed(self, words: str) -> None:
        until(lambda: words in self.output, f"{words} in {self.output!r}")

    def wait_over(self) -> Json:
        until(lambda: not self.probe()["is_reaper_alive"], "the reaper's end")
        return self.read(reaper.EXIT)

    def hold(self) -> None:
        """Keep the agent, and so the reaper, from ending with the command."""
        self.folder.mkdir()
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink()

    def clean(self) -> None:
        """End what a failed test has left: only what this attempt has started."""
        started = self.read(reaper.STARTED)
        for pid in [*self.agent_pids[-1:], started.get("reaper_pid", 0), started.get("pid", 0)]:
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    attempt = Attempt(tmp_path)
    yield attempt
    if attempt.probe()["is_reaper_alive"]:
        attempt.clean()


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Attempt]:
    attempt = Attempt(tmp_path, "second")
    yield attempt
    if attempt.probe()["is_reaper_alive"]:
        attempt.clean()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def python(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-u", "-c", script]


# -- how a command ended


@pytest.mark.parametrize("status", [0, 3, 127, 255])
def test_the_exit_status_is_recorded(attempt: Attempt, status: int) -> None:
    assert attempt.start(shell(f"echo words; exit {status}")) == {"answer": "started"}
    record = attempt.wait_over()
    assert (record["status"], record["signal"], record.get("error")) == (status, None, None)
    assert record["leftover_processes"] == 0
    assert record["ended_at"] >= record["started_at"] > 0
    assert record["seconds"] >= 0
    assert record["max_rss_bytes"] > 100_000
    assert attempt.output == "words\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_the_signal_that_ended_it_is_recorded(attempt: Attempt, number: signal.Signals) -> None:
    attempt.start(shell(f"kill -{number.value} $$"))
    record = attempt.wait_over()
    assert (record["status"], record["signal"]) == (None, number.value)


@pytest.mark.parametrize("argv", [["absent-command"], ["/etc/hostname"], ["/"]])
def test_a_command_that_cannot_be_started_is_told_with_its_reason(
    attempt: Attempt, argv: list[str]
) -> None:
    attempt.start(argv)
    record = attempt.wait_over()
    assert (record["status"], record["signal"]) == (127, None)
    assert record["error"]
    assert not attempt.read(reaper.STARTED)


def test_streams_of_the_command_are_a_file_and_nothing(attempt: Attempt) -> None:
    attempt.start(shell("cat; echo out; echo err >&2"))
    attempt.wait_over()
    assert attempt.output == "out\nerr\n"


def test_the_command_has_a_session_of_its_own_and_no_descriptor_of_ours(
    attempt: Attempt,
) -> None:
    script = "import os; print(os.getsid(0) == os.getpid(), sorted(os.listdir('/dev/fd')))"
    attempt.start(python(script))
    attempt.wait_over()
    assert attempt.output == "True ['0', '1', '2', '3']\n", "3 is the folder that is listed"


def test_records_reach_the_disk_before_they_bear_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)

        def noted(*arguments: Any, name: str = name, real: Callable[..., Any] = real) -> Any:
            calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, noted)
    reaper.write_json(str(tmp_path / "exit.json"), {"status": 0})
    assert calls == ["write", "fsync", "replace", "fsync"]
    assert [path.name for path in tmp_path.iterdir()] == ["exit.json"]


# -- what a command leaves behind

DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {prelude}
        print("daemon", os.getpid())
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(0.3)
"""


@pytest.mark.parametrize(
    "prelude", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"], ids=["polite", "deaf"]
)
@pytest.mark.skipif(not ON_LINUX, reason="a child subreaper is Linux's")
def test_a_daemon_left_behind_is_ended(attempt: Attempt, prelude: str) -> None:
    attempt.start(python(DAEMON.format(prelude=prelude)))
    attempt.wait_printed("daemon")
    record = attempt.wait_over()
    assert not is_running(int(attempt.output.split()[1]))
    assert (record["status"], record["leftover_processes"]) == (0, 1)


# -- stopping

SAVES = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    print("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("training")
time.sleep(600)
"""


def test_sigterm_reaches_the_training_process_itself(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    attempt.send(signal.SIGTERM)
    record = attempt.wait_over()
    assert attempt.output == "training\nsaved\n"
    assert (record["status"], record["signal"]) == (0, None)


@pytest.mark.skipif(not ON_LINUX, reason="a child subreaper is Linux's")
def test_a_child_of_a_shell_wrapper_gets_its_grace(attempt: Attempt) -> None:
    (attempt.home / "train.py").write_text(SAVES)
    attempt.start(shell(f"{sys.executable} -u train.py; echo wrapped"), grace_s=30.0)
    attempt.wait_printed("training")
    attempt.send(signal.SIGTERM)
    record = attempt.wait_over()
    assert attempt.output == "training\nsaved\n"
    assert record["leftover_processes"] == 1


@pytest.mark.skipif(not ON_LINUX, reason="a child subreaper is Linux's")
def test_a_deaf_child_of_a_shell_wrapper_is_killed_when_that_is_ordered(
    attempt: Attempt,
) -> None:
    (attempt.home / "train.py").write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', os.getpid())\n"
        "time.sleep(600)\n"
    )
    attempt.start(shell(f"{sys.executable} -u train.py; echo wrapped"), grace_s=600.0)
    attempt.wait_printed("deaf")
    attempt.send(signal.SIGTERM)
    until(lambda: attempt.read(reaper.EXIT), "the wrapper's end")
    attempt.send(signal.SIGKILL, "group")
    record = attempt.wait_over()
    assert not is_running(int(attempt.output.split()[1]))
    assert (record["signal"], record["leftover_processes"]) == (signal.SIGTERM, 1)


@pytest.mark.skipif(not ON_LINUX, reason="a child subreaper is Linux's")
def test_sigkill_leaves_no_daemon_its_grace(attempt: Attempt) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    script = DAEMON.format(prelude=deaf) + "\ntime.sleep(600)"
    attempt.start(python(script), grace_s=600.0)
    attempt.wait_printed("daemon")
    attempt.send(signal.SIGKILL, "group")
    record = attempt.wait_over()
    assert not is_running(int(attempt.output.split()[1]))
    assert record["signal"] == signal.SIGKILL


def test_sigterm_to_the_reaper_is_passed_on(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    os.kill(attempt.reaper_pid, signal.SIGTERM)
    record = attempt.wait_over()
    assert (record["status"], attempt.output) == (0, "training\nsaved\n")
    assert b"terminate\n" in (attempt.folder / "heard").read_bytes()


def test_the_reaper_outlives_the_hangup_of_its_terminal(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    os.kill(attempt.reaper_pid, signal.SIGHUP)
    attempt.send(signal.SIGTERM)
    assert attempt.wait_over()["status"] == 0


# -- killing the agent, and the reaper


def test_a_killed_agent_comes_back_and_the_command_goes_on(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    for lives in (1, 2):
        until(partial(_has_lived, attempt, lives), "an agent")
        os.kill(attempt.agent_pids[-1], signal.SIGKILL)
    until(lambda: len(attempt.agent_pids) == 3, "the third agent")
    pid = attempt.read(reaper.STARTED)["pid"]
    assert is_running(pid)
    attempt.send(signal.SIGTERM)
    assert attempt.wait_over()["status"] == 0
    assert attempt.output == "training\nsaved\n"


def _has_lived(attempt: Attempt, lives: int) -> bool:
    return len(attempt.agent_pids) == lives


def test_an_agent_that_comes_back_after_the_end_is_told_of_it(attempt: Attempt) -> None:
    attempt.hold()
    attempt.start(shell("exit 3"))
    until(lambda: b"exited" in _heard(attempt), "the news")
    os.kill(attempt.agent_pids[-1], signal.SIGKILL)
    attempt.release()
    assert attempt.wait_over()["status"] == 3
    assert len(attempt.agent_pids) == 2


def _heard(attempt: Attempt) -> bytes:
    path = attempt.folder / "heard"
    return path.read_bytes() if path.exists() else b""


def test_an_agent_that_cannot_be_started_is_not_tried_without_pause(attempt: Attempt) -> None:
    attempt.agent = ["absent-agent"]
    attempt.start(shell("exit 0"))
    assert attempt.probe()["is_reaper_alive"]
    time.sleep(0.5)
    assert attempt.probe()["is_reaper_alive"]
    assert not attempt.agent_pids
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit()] if ON_LINUX else []
    for pid in pids:
        if _is_reaper_of(pid, attempt.folder):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not attempt.probe()["is_reaper_alive"], "its end")


def _is_reaper_of(pid: int, folder: Path) -> bool:
    """By the file that it holds open: its own log, in the attempt's folder."""
    try:
        return os.readlink(f"/proc/{pid}/fd/1") == str(folder / reaper.AGENT_LOG)
    except OSError:
        return False


@pytest.mark.skipif(not ON_LINUX, reason="a signal on the parent's death is Linux's")
def test_when_the_reaper_is_killed_the_command_hears_sigterm_and_no_record_is_made_up(
    attempt: Attempt,
) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    os.kill(attempt.reaper_pid, signal.SIGKILL)
    attempt.wait_printed("saved")
    until(lambda: not attempt.probe()["is_reaper_alive"], "the lock's release")
    assert attempt.probe()["exit"] is None
    os.kill(attempt.agent_pids[-1], signal.SIGKILL)


def test_a_command_that_outlived_its_reaper_can_be_ended_and_no_other(attempt: Attempt) -> None:
    attempt.start(python("import signal, time\nsignal.signal(15, signal.SIG_IGN)\n"
                         "print('deaf')\ntime.sleep(600)"))  # fmt: skip
    attempt.wait_printed("deaf")
    pid = attempt.read(reaper.STARTED)["pid"]
    assert attempt.end() == {"is_killed": False}, "its reaper is alive"
    os.kill(attempt.reaper_pid, signal.SIGKILL)
    until(lambda: not attempt.probe()["is_reaper_alive"], "the lock's release")
    started = attempt.read(reaper.STARTED)
    reaper.write_json(str(attempt.folder / reaper.STARTED), started | {"ticks": "1"})
    assert attempt.end() == {"is_killed": False}, "a later process of the same number"
    assert is_running(pid)
    reaper.write_json(str(attempt.folder / reaper.STARTED), started)
    assert attempt.end() == {"is_killed": ON_LINUX}
    until(lambda: not is_running(pid), "its end")
    os.kill(attempt.agent_pids[-1], signal.SIGKILL)


# -- locks


def test_the_lock_is_held_until_the_command_has_ended(attempt: Attempt) -> None:
    """Whoever hears of the end may start the next one, although the agent still sends things."""
    lock = attempt.home / "gpu-0.lock"
    attempt.locks = [lock]
    attempt.hold()
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    assert reaper.is_locked(str(lock))
    attempt.send(signal.SIGTERM)
    until(lambda: attempt.read(reaper.EXIT), "the record")
    until(lambda: not reaper.is_locked(str(lock)), "the lock's release")
    assert attempt.probe()["is_reaper_alive"]
    attempt.release()
    attempt.wait_over()


def test_a_busy_lock_is_refused_with_the_holder_s_name(attempt: Attempt, second: Attempt) -> None:
    free, busy = attempt.home / "gpu-0.lock", attempt.home / "gpu-1.lock"
    attempt.locks, second.locks = [busy], [free, busy]
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    assert second.start(shell("echo never")) == {"answer": "busy", "holder": "run attempt"}
    assert not second.probe()["is_reaper_alive"]
    assert not reaper.is_locked(str(free)), "it must not keep what it could take"
    attempt.send(signal.SIGTERM)
    assert attempt.wait_over()["status"] == 0
    assert second.start(shell("echo now")) == {"answer": "started"}
    second.wait_over()
    assert second.output == "now\n"


def test_a_queued_start_goes_on_when_the_lock_is_released(
    attempt: Attempt, second: Attempt
) -> None:
    attempt.locks = second.locks = [attempt.home / "gpu-0.lock"]
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    answer = second.start(shell("echo my turn"), queue=True)
    assert answer == {"answer": "queued", "holder": "run attempt"}
    until(lambda: second.agent_pids, "the agent of the one that waits")
    assert second.output == ""
    assert not second.read(reaper.STARTED)
    attempt.send(signal.SIGTERM)
    attempt.wait_over()
    assert second.wait_over()["status"] == 0
    assert second.output == "my turn\n"


def test_a_start_typed_again_starts_nothing_twice(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    assert attempt.start(shell("echo second")) == {"answer": "started"}
    attempt.send(signal.SIGTERM)
    attempt.wait_over()
    assert attempt.output == "training\nsaved\n"


def test_looking_at_an_attempt_never_keeps_it_from_starting(attempt: Attempt) -> None:
    """A look holds the lock for an instant: a start at that instant must not be lost."""
    attempt.folder.mkdir()
    held = reaper.take_lock(str(attempt.folder / reaper.LOCK))
    assert held is not None
    closing = subprocess.Popen(["sleep", "0.2"], pass_fds=[held])
    os.close(held)
    lock = verbs._take_own_lock(str(attempt.folder / reaper.LOCK))
    assert lock is not None
    os.close(lock)
    closing.wait()


def test_secrets_and_plan_arrive_readable_by_the_owner_alone(attempt: Attempt) -> None:
    attempt.start(shell("exit 0"))
    attempt.wait_over()
    assert attempt.read(reaper.SECRETS) == {"TOKEN": "x"}
    assert attempt.read(reaper.PLAN) == {"run": 1}
    assert (attempt.folder / reaper.SECRETS).stat().st_mode & 0o077 == 0


# -- cost, and a full disk


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
def test_the_reaper_is_small(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    pages = int(Path(f"/proc/{attempt.reaper_pid}/statm").read_text().split()[1])
    rss_bytes = pages * os.sysconf("SC_PAGE_SIZE")
    attempt.send(signal.SIGTERM)
    attempt.wait_over()
    assert rss_bytes <= RSS_LIMIT_BYTES, f"{rss_bytes / 2**20:.1f} MiB"


def test_the_room_for_the_exit_record_is_taken_before_the_start(attempt: Attempt) -> None:
    attempt.start(python(SAVES))
    attempt.wait_printed("training")
    assert (attempt.folder / f"{reaper.EXIT}.tmp").stat().st_size == records.RECORD_BYTES
    attempt.send(signal.SIGTERM)
    record = attempt.wait_over()
    assert record["status"] == 0
    assert list(attempt.folder.glob("*.tmp")) == []
