"""Images into a registry: only what it has not, and signed in without the user's own file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from runctl.agent.containers.docker import Docker
from runctl.agent.containers.image import repository_of
from runctl.agent.containers.login import find_ecr, logged_in
from runctl.engine.docker_images.building import Tell, docker_here
from runctl.engine.session import Session
from runctl.errors import AuthError, NotFoundError, TransportError
from runctl.model.docker_image import PushedImage


def push(
    session: Session, reference: str, tag: str, tell: Tell, *, makes_repository: bool = False
) -> PushedImage:
    """Push an image under both of its names, unless the registry has it.

    With ``makes_repository`` one of ECR is made where it is missing. Raises NotFoundError for an
    image that is not here, AuthError and TransportError.
    """
    docker, repository = docker_here(), repository_of(reference)
    found = docker.inspect("image", reference)
    if found is None:
        raise NotFoundError(f"there is no image {reference} here", hint="runctl docker build")
    with signed_in(session, docker, repository, makes_repository=makes_repository) as environ:
        known = _pinned(found, repository)
        if known is not None and _has(docker, known, environ):
            return PushedImage(reference=reference, pinned=known, is_new=False)
        for name in (reference, f"{repository}:{tag}"):
            _push(docker, name, environ, tell)
    pinned = _pinned(docker.inspect("image", reference) or {}, repository)
    if pinned is None:
        raise TransportError(f"{reference} was pushed, and has no digest", hint="docker images")
    return PushedImage(reference=reference, pinned=pinned, is_new=True)


@contextmanager
def signed_in(
    session: Session, docker: Docker, repository: str, *, makes_repository: bool
) -> Iterator[dict[str, str]]:
    """Give the environment in which ``docker`` may push: for ECR, a folder of its own.

    Its token is in that folder for as long as this takes; the user's own file is not touched.
    """
    place = find_ecr(repository)
    if place is None:
        yield dict(os.environ)
        return
    from runctl.aws.container_registry import make_repository, sign_in  # noqa: PLC0415 - boto3

    account = session.account()
    if makes_repository:
        make_repository(account, place.region, place.name)
    with logged_in(docker, place.host, sign_in(account, place.region)) as environ:
        yield environ


def _pinned(found: Mapping[str, object], repository: str) -> str | None:
    digests = found.get("RepoDigests")
    known: Sequence[str] = digests if isinstance(digests, list) else ()
    return next((one for one in known if one.partition("@")[0] == repository), None)


def _has(docker: Docker, pinned: str, environ: Mapping[str, str]) -> bool:
    is_local = pinned.startswith(("localhost:", "localhost/", "127."))
    words = ("manifest", "inspect", *(["--insecure"] if is_local else []), pinned)
    argv = [docker.program, *words]
    return subprocess.run(argv, env=environ, capture_output=True, check=False).returncode == 0


def _push(docker: Docker, name: str, environ: Mapping[str, str], tell: Tell) -> None:
    done = subprocess.run(
        [docker.program, "push", name], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        tell(f"{name} is pushed")
        return
    words = (done.stderr or done.stdout).strip().splitlines()
    why, host = words[-1] if words else f"status {done.returncode}", name.partition("/")[0]
    is_refused = any(sign in why.lower() for sign in ("denied", "unauthorized", "no basic auth"))
    kind = AuthError if is_refused else TransportError
    raise kind(f"{name} could not be pushed: {why}", hint=f"docker login {host}")
