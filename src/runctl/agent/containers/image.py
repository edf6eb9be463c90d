"""The image of a container: present or pulled, and from then on the same for all attempts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runctl.agent.containers.docker import Docker, check_gpus, has_gpus
from runctl.agent.containers.ecr import ask_password, endpoint_of, find_keys
from runctl.agent.containers.installing import ready_docker
from runctl.agent.containers.login import find_ecr, logged_in
from runctl.agent.environment.processes import run_installer
from runctl.errors import NotFoundError, PhaseFailed
from runctl.model.events import ImageReady
from runctl.model.spec import ContainerWish


def bring_image(
    wish: ContainerWish,
    pinned: str | None,
    on_output: Callable[[bytes], None],
    is_cancelled: Callable[[], bool],
) -> ImageReady:
    """Return the image, which is on this instance now; ``pinned`` is that of an earlier attempt.

    Raises ConfigError without a Docker that can be used, NotFoundError where it cannot be pulled.
    """
    docker = ready_docker(on_output, is_cancelled, installs=wish.installs_docker)
    if has_gpus():
        check_gpus(docker.info())
    wanted = pinned or wish.image
    found = docker.inspect("image", wanted)
    is_present = found is not None
    if found is None:
        _pull(docker, wanted, on_output, is_cancelled)
        found = docker.inspect("image", wanted)
    if found is None:
        raise NotFoundError(f"{wanted} was pulled and is not there", hint=f"docker pull {wanted}")
    return ImageReady(
        reference=wish.image,
        pinned=pin(wanted, found),
        image_id=found["Id"],
        is_present=is_present,
    )


def pin(wanted: str, found: Mapping[str, Any]) -> str:
    """Return what means this very image anywhere; its id where no registry has it."""
    if "@sha256:" in wanted:
        return wanted
    digests: list[str] = found.get("RepoDigests") or []
    own = repository_of(wanted)
    same = [digest for digest in digests if digest.partition("@")[0] == own]
    return next(iter([*same, *digests]), str(found["Id"]))


def repository_of(reference: str) -> str:
    """Return a reference without its tag and digest; a port is not a tag."""
    name = reference.partition("@")[0]
    above, slash, last = name.rpartition("/")
    return f"{above}{slash}{last.partition(':')[0]}"


def _pull(
    docker: Docker,
    wanted: str,
    on_output: Callable[[bytes], None],
    is_cancelled: Callable[[], bool],
) -> None:
    if wanted.startswith("sha256:"):
        raise NotFoundError(
            f"no registry has the image {wanted}: it is on an earlier attempt's instance alone",
            hint="docker push REPOSITORY:TAG, and type runctl train --image REPOSITORY:TAG",
        )
    try:
        with _signed_in(docker, repository_of(wanted)) as environ:
            run_installer(
                (docker.program, "pull", wanted),
                folder=Path("/"),
                environ=environ,
                on_output=on_output,
                is_cancelled=is_cancelled,
                keep_open=(),
                disk=Path("/"),
            )
    except PhaseFailed as error:
        why = error.message.partition(": ")[2] or error.message  # not of an environment
        message = f"the image {wanted} could not be pulled: {why}"
        raise NotFoundError(message, hint=f"docker pull {wanted}") from error


@contextmanager
def _signed_in(docker: Docker, repository: str) -> Iterator[Mapping[str, str]]:
    """Give the environment of a pull: for ECR with a password, where anything here can sign."""
    place = find_ecr(repository)
    keys = find_keys(os.environ) if place else None
    if place is None or keys is None:
        yield os.environ  # as docker login has left it
        return
    endpoint = endpoint_of(place.region, place.domain, os.environ)
    secret = ask_password(endpoint, place.region, keys, datetime.now(UTC))
    with logged_in(docker, place.host, secret) as environ:
        yield environ
