"""An image is built once for one content: its tag says what is in it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from runctl.agent.containers.docker import Docker, find_docker
from runctl.config import owner_id
from runctl.engine.docker_images.context import Context, read_context, variables_of
from runctl.engine.session import Session
from runctl.errors import ConfigError, NotFoundError, PhaseFailed
from runctl.model.docker_image import BuildRequest, BuiltImage, ImagePlan

OWNER_LABEL, PROJECT_LABEL = "runctl.owner", "runctl.project"
Tell = Callable[[str], None]
_KEPT_LINES = 20


def docker_here() -> Docker:
    """Return the Docker of this machine, which answers; or raise ConfigError."""
    try:
        docker = find_docker()
        docker.info()
    except ConfigError as error:
        message = error.message.replace("this instance", "this machine")
        raise ConfigError(message, hint="docker info") from error
    return docker


def plan(session: Session, request: BuildRequest, cwd: Path) -> ImagePlan:
    context, docker = read_context(session, request, cwd), docker_here()
    reference = reference_of(request, context)
    return ImagePlan(
        reference=reference,
        dockerfile=context.dockerfile,
        file_count=len(context.paths),
        total_bytes=context.total_bytes,
        is_present=docker.inspect("image", reference) is not None,
    )


def build(session: Session, request: BuildRequest, cwd: Path, tell: Tell) -> BuiltImage:
    """Build the image unless it is there; PhaseFailed with Docker's last words.

    It has two names: one of its content, and ``repository:tag``, which moves on to it.
    """
    context, docker = read_context(session, request, cwd), docker_here()
    reference = reference_of(request, context)
    found = docker.inspect("image", reference)
    is_new = found is None
    if found is None:
        labels = (f"{OWNER_LABEL}={owner_id(session.user_dir)}", _project_label(context))
        _build(docker, context, [*variables_of(request), "--tag", reference], labels, tell)
        found = docker.inspect("image", reference)
    if found is None:
        raise NotFoundError(f"{reference} was built and is not there", hint="docker images")
    docker.ask("tag", reference, f"{repository_for(request, context)}:{request.tag}")
    return BuiltImage(
        reference=reference,
        image_id=found["Id"],
        dockerfile=context.dockerfile,
        is_new=is_new,
    )


def repository_for(request: BuildRequest, context: Context) -> str:
    """Return the repository, or one that is for this machine alone."""
    if request.repository is not None:
        return request.repository
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in context.root.path.name)
    return f"runctl/{name.lower().strip('-') or 'project'}"


def reference_of(request: BuildRequest, context: Context) -> str:
    return f"{repository_for(request, context)}:{context.digest}"


def _project_label(context: Context) -> str:
    return f"{PROJECT_LABEL}={context.root.path.name or 'project'}"


def _build(
    docker: Docker, context: Context, words: Sequence[str], labels: Sequence[str], tell: Tell
) -> None:
    marks = [word for label in labels for word in ("--label", label)]
    argv = [docker.program, "build", "--file", context.dockerfile, *words, *marks, "-"]
    with tempfile.TemporaryFile() as file:
        context.write(file)
        file.seek(0)
        status, last = run_and_tell(argv, file, tell)
    if status != 0:
        raise PhaseFailed(
            f"the image could not be built: {last}",
            hint="runctl docker build --dry-run",
            phase="image",
        )


def run_and_tell(argv: Sequence[str], stdin: IO[bytes] | None, tell: Tell) -> tuple[int, str]:
    """Run a program, each line of its output as it comes; return its status and its last words."""
    last: list[str] = []
    with subprocess.Popen(
        argv,
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            if line:
                tell(line)
                last = [*last, line][-_KEPT_LINES:]
    return process.returncode, last[-1] if last else f"status {process.returncode}"
