"""A registry's password, for as long as one command of Docker takes: in no file of the user's."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runctl.agent.containers.docker import Docker

_ECR = re.compile(
    r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<domain>amazonaws\.com(\.cn)?)/(?P<name>.+)"
)


class EcrPlace:
    """Where in ECR an image is: ``host``, its ``region`` and ``domain``, and the repository."""

    def __init__(self, found: re.Match[str]) -> None:
        self.host = found[0].partition("/")[0]
        self.region, self.domain, self.name = found["region"], found["domain"], found["name"]


def find_ecr(repository: str) -> EcrPlace | None:
    """Return where a repository is, by its name; None where that is not ECR."""
    found = _ECR.fullmatch(repository)
    return EcrPlace(found) if found else None


@contextmanager
def logged_in(docker: Docker, host: str, secret: str) -> Iterator[dict[str, str]]:
    """Give the environment in which ``docker`` has ``user:password`` for a registry."""
    with tempfile.TemporaryDirectory(prefix="runctl-docker-") as folder:
        encoded = base64.b64encode(secret.encode()).decode()
        path = Path(folder, "config.json")
        path.touch(0o600)
        path.write_text(json.dumps({"auths": {host: {"auth": encoded}}}), encoding="utf-8")
        yield {**os.environ, **_endpoint(docker), "DOCKER_CONFIG": folder}


def _endpoint(docker: Docker) -> dict[str, str]:
    """Name the daemon, which the user's own file may name by a context."""
    if "DOCKER_HOST" in os.environ:
        return {}
    asked = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    host = docker.ask(*asked).stdout.decode().strip()
    return {"DOCKER_HOST": host} if host else {}
