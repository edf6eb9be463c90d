"""Starts the process of a local cloud, and removes what one has made."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runctl.errors import (
    ConfigError,
    ConflictError,
    ExtraMissing,
    ProviderError,
    RunctlError,
    TryAgain,
)
from runctl.model.cloud import CloudStarted

# Not the folder that the user is in: a script of theirs named like one of our modules must not
# be imported instead.
_MODULE = (sys.executable, "-P", "-m", "runctl.localcloud")
_NEEDED = ("awscrt", "botocore")


def launch(
    name: str,
    folder: Path,
    environ: Mapping[str, str],
    *,
    tier: str,
    port: int,
    is_child: bool = False,
) -> tuple[subprocess.Popen[bytes] | None, CloudStarted]:
    """Start a local cloud, and return once it answers; with its process, where it is our child."""
    _check_extra()
    words = ["serve", "--folder", str(folder), "--tier", tier, "--port", str(port)]
    words += [] if is_child else ["--detach"]
    process = subprocess.Popen(
        [*_MODULE, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=dict(environ),
        start_new_session=True,
    )
    said = _first_line(process)
    started = CloudStarted(name=name, **_keep(said, "address", "tier", "pid", "is_already_running"))
    if is_child and not started.is_already_running:
        return process, started
    process.wait()
    return None, started


def purge(folder: Path, environ: Mapping[str, str]) -> int:
    """Remove what a local cloud that does not run has made; return how many instances it had."""
    _check_extra()
    process = subprocess.Popen(
        [*_MODULE, "purge", "--folder", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=dict(environ),
    )
    said = _first_line(process)
    process.wait()
    return int(said["machines"])


def _first_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Read the one line that it prints; raise what it says of a failure."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    with process.stdout as lines, process.stderr as words:
        line = lines.readline()
        if not line:
            last = words.read().decode(errors="replace").strip().splitlines()[-1:]
            process.wait()
            raise ProviderError(
                f"the local cloud did not start: {''.join(last) or 'it said nothing'}"
            )
    said: dict[str, Any] = json.loads(line)
    if "error" in said:
        process.wait()
        raise _translate(said["error"]["code"], said["error"]["message"])
    return said


def _translate(code: str, message: str) -> RunctlError:
    if code in ("port", "tier"):
        return ConflictError(message, hint="runctl cloud stop --purge, or another --name")
    if code == "wish":
        return ConflictError(message, hint="without --port a free one is taken")
    if code in ("running", "stuck"):
        return TryAgain(message)
    return ConfigError(message) if code == "folder" else ProviderError(message)


def _keep(said: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: said[name] for name in names}


def _check_extra() -> None:
    if missing := _missing(_NEEDED):
        raise ExtraMissing(
            f"the local cloud is an extra, and {missing[0]} is not installed",
            hint="pip install 'runctl[localcloud]'",
        )


def _missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]
