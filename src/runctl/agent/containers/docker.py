"""Docker by its own command line: what it is asked for, and what it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import Any

import msgspec

from runctl.errors import ConfigError, RunctlError

ANSWER_S = 60.0
_GPU_HOOKS = ("nvidia-container-runtime-hook", "nvidia-container-cli")


class Docker:
    """The Docker of this machine, as its user reaches it."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._told: dict[str, Any] = {}

    def ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end; its status tells whether it could be done.

        Raises subprocess.TimeoutExpired where Docker does not answer within a minute.
        """
        return subprocess.run(
            [self.program, *words], capture_output=True, check=False, timeout=ANSWER_S
        )

    def info(self) -> dict[str, Any]:
        """Return what the daemon says of itself; raise ConfigError where it cannot be reached.

        It is asked until it has answered once: that takes longer than to start a container.
        """
        if not self._told:
            self._told = self._ask_info()
        return self._told

    def _ask_info(self) -> dict[str, Any]:
        done = self.ask("info", "--format", "{{json .}}")
        told: dict[str, Any] = msgspec.json.decode(done.stdout) if done.stdout.strip() else {}
        errors = told.get("ServerErrors") or []
        if done.returncode == 0 and not errors:
            return told
        words = "; ".join(errors) or last_words(done.stderr)
        hint = "sudo systemctl start docker, or add --install-docker"
        if "permission denied" in words.lower():
            hint = "sudo usermod --append --groups docker $USER, or add --install-docker"
        raise ConfigError(f"Docker on this instance cannot be used: {words}", hint=hint)

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return what is known of an ``image`` or a ``container``; None where there is none."""
        done = self.ask(kind, "inspect", name)
        if done.returncode != 0:
            return None
        found: list[dict[str, Any]] = msgspec.json.decode(done.stdout)
        return found[0]

    def remove_argv(self, name: str) -> list[str]:
        """Return what kills a container, if it runs, and removes it."""
        return [self.program, "rm", "--force", "--volumes", name]


def find_docker() -> Docker:
    """Return the Docker of this machine, whether it answers or not; raise ConfigError if none."""
    program = shutil.which("docker")
    if program is None:
        raise ConfigError("there is no Docker on this instance", hint="add --install-docker")
    return _docker_at(program)


@cache
def _docker_at(program: str) -> Docker:
    return Docker(program)


def has_gpus() -> bool:
    return os.path.exists("/dev/nvidiactl")


def check_gpus(info: dict[str, Any]) -> None:
    """Raise ConfigError where containers could not be given the GPUs that are here."""
    if "nvidia" in info.get("Runtimes", {}) or any(map(shutil.which, _GPU_HOOKS)):
        return
    raise ConfigError(
        "this instance has GPUs, and its Docker cannot give them to a container: the NVIDIA "
        "container toolkit is missing",
        hint="runctl aws create --ami dlami",
    )


def last_words(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def is_there(docker: Docker) -> bool:
    """Tell whether its daemon answers."""
    try:
        docker.info()
    except RunctlError:
        return False
    return True
