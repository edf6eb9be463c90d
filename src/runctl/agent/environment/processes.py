"""Run an installer: its output as it comes, its whole group ended on cancellation."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from runctl.agent.environment.failures import installer_failed, redact, system_failed
from runctl.errors import StoppedOnRequest

OnOutput = Callable[[bytes], None]
IsCancelled = Callable[[], bool]

GRACE = timedelta(seconds=5)
_POLL = timedelta(milliseconds=100)
_READ_BYTES = 65536
_KEPT_BYTES = 65536
_FULL_BYTES = 1 << 20

# What would send an installer to another environment than the one it is told.
_REDIRECTIONS = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "__PYVENV_LAUNCHER__",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_WORKING_DIRECTORY",
    "UV_VENV_CLEAR",
    "UV_VENV_SEED",
)


class Redactor:
    """Hand output on in whole lines, without credentials; keep the end of it."""

    def __init__(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        self._pending = b""
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take what was read; lines that are whole go on at once."""
        self._pending += data
        end = max(self._pending.rfind(b"\n"), self._pending.rfind(b"\r")) + 1
        if end == 0 and len(self._pending) > _KEPT_BYTES:
            end = len(self._pending)
        self._emit(end)

    def finish(self) -> str:
        """Hand on what is left and return the end of all output."""
        self._emit(len(self._pending))
        return self._tail.decode("utf-8", errors="replace")

    def _emit(self, end: int) -> None:
        if end == 0:
            return
        text = self._pending[:end].decode("utf-8", errors="surrogateescape")
        clean = redact(text).encode("utf-8", errors="surrogateescape")
        self._pending = self._pending[end:]
        self._tail = (self._tail + clean)[-_KEPT_BYTES:]
        self._on_output(clean)


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The installer's environment: the user's, less what would redirect it."""
    kept = {name: value for name, value in environ.items() if name not in _REDIRECTIONS}
    kept.setdefault("UV_PYTHON_DOWNLOADS", "never")
    return kept | {
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def run_installer(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    on_output: OnOutput,
    is_cancelled: IsCancelled,
    keep_open: Sequence[int],
    disk: Path,
) -> None:
    """Run ``argv`` in ``folder`` to its end; it writes to the file system of ``disk``.

    ``keep_open`` are descriptors that it inherits: with the lock among them, an installer
    that outlives a killed agent still holds the lock.
    Raises PhaseFailed if it fails, StoppedOnRequest if ``is_cancelled`` becomes true.
    """
    process, read_end = _start(argv, folder, environ, keep_open)
    redactor = Redactor(on_output)
    try:
        _stream(process, read_end, redactor, is_cancelled)
    finally:
        _end_group(process)
        os.close(read_end)
    output = redactor.finish()
    if process.returncode != 0:
        name, is_full = Path(argv[0]).name, _is_full(disk)
        raise installer_failed(name, process.returncode, output, is_disk_full=is_full)


def _start(
    argv: Sequence[str], folder: Path, environ: Mapping[str, str], keep_open: Sequence[int]
) -> tuple[subprocess.Popen[bytes], int]:
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            pass_fds=keep_open,
        )
    except OSError as error:
        os.close(read_end)
        raise system_failed(error, f"the installer {argv[0]}") from error
    finally:
        os.close(write_end)
    return process, read_end


def _stream(
    process: subprocess.Popen[bytes], pipe: int, redactor: Redactor, is_cancelled: IsCancelled
) -> None:
    """Read until the end of the output, or until the installer itself has ended."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if is_cancelled():
                raise StoppedOnRequest("The installation of the environment was cancelled.")
            is_over = process.poll() is not None
            if selector.select(0 if is_over else _POLL.total_seconds()):
                data = os.read(pipe, _READ_BYTES)
                if not data:
                    break
                redactor.feed(data)
            elif is_over:  # a process left behind holds the pipe: its words are not awaited
                return
    _await_end(process, is_cancelled)


def _await_end(process: subprocess.Popen[bytes], is_cancelled: IsCancelled) -> None:
    while process.poll() is None:
        if is_cancelled():
            raise StoppedOnRequest("The installation of the environment was cancelled.")
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL.total_seconds())


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the installer's group, politely first."""
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE.total_seconds())
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_full(disk: Path) -> bool:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize < _FULL_BYTES or status.f_favail == 0 < status.f_files


def pause() -> None:
    """Wait a moment before something is asked again."""
    time.sleep(_POLL.total_seconds())
