"""Docker where the image of an instance lacks it: by the system's own packages, as root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from runctl.agent.containers.docker import Docker, find_docker, is_there
from runctl.agent.environment.processes import run_installer
from runctl.errors import ConfigError, PhaseFailed, RunctlError

SOCKET = "/var/run/docker.sock"
_PACKAGES = {
    "dnf": (("dnf", "install", "--assumeyes", "--quiet", "docker"),),
    "apt-get": (
        ("apt-get", "update", "--quiet=2"),
        ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "docker.io"),
    ),
}


def ready_docker(
    on_output: Callable[[bytes], None], is_cancelled: Callable[[], bool], *, installs: bool
) -> Docker:
    """Return a Docker that answers; where it may, install it and start it first.

    Raises ConfigError where there is none, or it does not answer.
    """
    try:
        docker = find_docker()
        docker.info()
    except RunctlError:
        if not installs:
            raise
        return _install(on_output, is_cancelled)
    return docker


def _install(on_output: Callable[[bytes], None], is_cancelled: Callable[[], bool]) -> Docker:
    for argv in _commands():
        _run_as_root(argv, on_output, is_cancelled)
    docker = find_docker()
    if not is_there(docker):  # the group counts for later logins, the socket's owner at once
        _run_as_root(("chown", str(os.getuid()), SOCKET), on_output, is_cancelled)
    docker.info()
    return docker


def _commands() -> Iterator[tuple[str, ...]]:
    if shutil.which("docker") is None:
        tool = next((name for name in _PACKAGES if shutil.which(name)), None)
        if tool is None:
            raise ConfigError(
                "Docker cannot be installed here: there is neither dnf nor apt-get",
                hint="runctl aws create --ami dlami",
            )
        yield from _PACKAGES[tool]
    if os.path.isdir("/run/systemd/system"):
        yield ("systemctl", "enable", "--now", "docker")
    else:
        yield ("service", "docker", "start")


def _run_as_root(
    argv: tuple[str, ...], on_output: Callable[[bytes], None], is_cancelled: Callable[[], bool]
) -> None:
    as_root = argv if os.getuid() == 0 else ("sudo", "-n", *argv)
    try:
        run_installer(
            as_root,
            folder=Path("/"),
            environ=os.environ,
            on_output=on_output,
            is_cancelled=is_cancelled,
            keep_open=(),
            disk=Path("/"),
        )
    except PhaseFailed as error:
        words = " ".join(argv)
        why = error.message.partition(": ")[2] or error.message  # not of an environment
        message = f"Docker could not be made ready: {words}: {why}"
        raise ConfigError(message, hint=f"sudo {words}") from error
