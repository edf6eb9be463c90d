"""A home of its own for every test, the installed ``runctl``, and a look behind it.

The tests type commands and then look at the ledger's files and at the processes of the
machine; they never ask the tool whether the tool is right.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import zstandard

ROOT = Path(__file__).resolve().parents[1]
RUNCTL = str(Path(sys.executable).with_name("runctl"))
DIGITS = ROOT / "examples" / "digits"
PATIENCE_S = 60.0
END_ROUNDS = 50
_INHERITED = ("PATH", "LANG", "LC_ALL", "TERM", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


class Scene:
    """One user: a home folder, a project folder, and what was started in them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self.home.mkdir()
        self.env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self.env |= {"HOME": str(self.home), "UV_CACHE_DIR": uv_cache(), "NO_COLOR": "1"}

    # -- the project

    def write(self, name: str, text: str) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def use_digits(self) -> None:
        """Bring the digits example; the environment of the tests has what it needs."""
        shutil.copytree(DIGITS, self.project, dirs_exist_ok=True)
        (self.project / "requirements.txt").unlink()
        self.use_own_python()

    def use_own_python(self) -> None:
        """Let scripts run under the Python of the tests, which has numpy."""
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"

    # -- typing commands

    def type(
        self, *words: str, timeout_s: float = PATIENCE_S, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [RUNCTL, *words],
            cwd=self.project,
            env=self.env | dict(env or {}),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )

    def type_in_background(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [RUNCTL, *words],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def launch(self, *words: str) -> str:
        """Start a run in the background; return its id."""
        done = self.type("train", "--detach", "--output", "id", *words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def wait(self, run_id: str, timeout_s: float = PATIENCE_S) -> int:
        """Type ``wait``; return its exit code."""
        return self.type("wait", run_id, timeout_s=timeout_s).returncode

    # -- looking behind the tool

    @property
    def ledger(self) -> Path:
        return self.home / ".local" / "share" / "runctl" / "ledger"

    def run_folder(self, run_id: str) -> Path:
        return self.ledger / "runs" / run_id

    def attempt(self, run_id: str, number: int = 1) -> Path:
        state = self.home / ".local" / "state" / "runctl" / "instance"
        return state / "attempts" / run_id / str(number)

    def events(self, run_id: str, attempt: int = 1) -> list[dict[str, Any]]:
        folder = self.run_folder(run_id) / "events" / f"{attempt:04d}"
        return [json.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))]

    def bodies(self, run_id: str, kind: str, attempt: int = 1) -> list[dict[str, Any]]:
        found = [event["body"] for event in self.events(run_id, attempt)]
        return [body for body in found if body["type"] == kind]

    def output(self, run_id: str, attempt: int = 1) -> bytes:
        path = self.attempt(run_id, attempt) / "output.log"
        return path.read_bytes() if path.exists() else b""

    def outputs(self, run_id: str, attempt: int = 1) -> Path:
        """Return what the script knows as RUNCTL_OUTPUT_DIR."""
        return self.attempt(run_id, attempt) / "outputs"

    def exit_record(self, run_id: str, attempt: int = 1) -> dict[str, Any]:
        """Return the exit record in the ledger."""
        exits = self.bodies(run_id, "command_exited", attempt)
        assert exits, f"the ledger has no exit record of attempt {attempt}"
        record: dict[str, Any] = exits[-1]["exit"]
        return record

    def attempt_end(self, run_id: str, attempt: int = 1) -> dict[str, Any]:
        ends = self.bodies(run_id, "attempt_ended", attempt)
        assert len(ends) == 1, f"attempt {attempt} has {len(ends)} ends"
        return ends[0]

    def log_chunks(self, run_id: str, attempt: int = 1) -> list[Path]:
        return sorted((self.run_folder(run_id) / "logs" / f"{attempt:04d}" / "0").glob("*.zst"))

    def log_pieces(self, run_id: str, attempt: int = 1) -> Iterator[bytes]:
        """Decode the log in the ledger, as anybody could who has zstd, chunk by chunk."""
        position = 0
        for path in self.log_chunks(run_id, attempt):
            start, length = map(int, path.stem.split("-"))
            data = decompress(path)
            assert len(data) == length, f"{path.name} holds {len(data)} bytes"
            assert start <= position, f"a gap before {path.name}: {position}"
            if start + length > position:  # chunks may overlap while they are compacted
                yield data[position - start :]
                position = start + length

    def manifests(self, run_id: str) -> list[dict[str, Any]]:
        """Return the committed checkpoints, in order of attempt and sequence."""
        paths = sorted((self.run_folder(run_id) / "checkpoints").glob("*/*/manifest.json"))
        return [json.loads(path.read_bytes())["manifest"] for path in paths]

    def committed(self, manifest: dict[str, Any]) -> dict[str, bytes]:
        """Return the files of a committed checkpoint, from the blobs that it names."""
        return {
            file["path"]: b"".join(
                (self.ledger / "blobs" / part["sha256"]).read_bytes() for part in file["parts"]
            )
            for file in manifest["files"]
        }

    def wait_for_output(self, run_id: str, words: bytes, attempt: int = 1) -> None:
        self.wait_for(f"{words!r} in the output", lambda: words in self.output(run_id, attempt))

    def wait_for(self, what: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)

    def wait_for_event(self, run_id: str, kind: str, attempt: int = 1, count: int = 1) -> None:
        self.wait_for(
            f"{count} {kind} of attempt {attempt}",
            lambda: len(self.bodies(run_id, kind, attempt)) >= count,
        )

    def wait_for_phase(self, run_id: str, phase: str, attempt: int = 1) -> None:
        self.wait_for(
            f"phase {phase}",
            lambda: any(b["phase"] == phase for b in self.bodies(run_id, "phase_started", attempt)),
        )

    # -- processes

    def pids(self, run_id: str, attempt: int = 1) -> dict[str, int]:
        """Return the pids of reaper, agent and command, by their command lines and records."""
        found: dict[str, int] = {}
        folder = str(self.attempt(run_id, attempt))
        for pid, argv in processes():
            if "runctl.agent" in argv and folder in argv:
                found["agent"] = pid
                found["reaper"] = parent_of(pid)
        started = self.attempt(run_id, attempt) / "started.json"
        if started.exists():
            found["command"] = json.loads(started.read_bytes())["pid"]
        return {name: pid for name, pid in found.items() if is_alive(pid)}

    def kill(self, run_id: str, *names: str, attempt: int = 1) -> None:
        pids = self.pids(run_id, attempt)
        for name in names:
            if name in pids:
                os.kill(pids[name], signal.SIGKILL)

    def survivors(self) -> dict[int, list[str]]:
        """Return what this scene has started and not ended, by command line and open files."""
        return {
            pid: argv
            for pid, argv in processes()
            if pid != os.getpid() and is_alive(pid) and self._is_of_it(pid, argv)
        }

    def _is_of_it(self, pid: int, argv: list[str]) -> bool:
        if any(str(self.home) in word for word in argv):
            return True
        # A reaper has nothing of it in its command line, but its locks and its log.
        return _works_in(pid, self.home) or _writes_in(pid, self.home)

    def end_all(self) -> None:
        """End what this scene has started and not ended."""
        for _ in range(END_ROUNDS):
            survivors = self.survivors()
            for pid in survivors:
                kill_quietly(pid)
            if not survivors:
                return
            time.sleep(0.02)


def final_weights(output: bytes) -> str:
    """Return the digest of the final weights that the digits example prints last."""
    found = re.findall(rb'"weights_sha256": "([0-9a-f]{64})"', output)
    assert found, output[-2000:]
    return bytes(found[-1]).decode()


def undisturbed_weights(*arguments: str) -> str:
    """Train without runctl; return the digest of the final weights."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(DIGITS / "train.py"), *arguments],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        )
    return final_weights(done.stdout)


def decompress(path: Path) -> bytes:
    """Return what a chunk holds: zstd frames, with skippable frames between them."""
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return reader.read()


def processes() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                raw = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            yield int(name), [os.fsdecode(word) for word in raw.split(b"\0")]


def parent_of(pid: int) -> int:
    return int(Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()[1])


def is_alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


def kill_quietly(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def uv_cache() -> str:
    """Return a cache that the scenes share, so that an environment is not fetched anew."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    return os.environ.get("UV_CACHE_DIR") or str(default)


def _writes_in(pid: int, folder: Path) -> bool:
    try:
        descriptors = list(Path("/proc", str(pid), "fd").iterdir())
        return any(Path(os.readlink(each)).is_relative_to(folder) for each in descriptors)
    except OSError:
        return False


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False
