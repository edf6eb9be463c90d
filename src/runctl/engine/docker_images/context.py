"""What an image is built of: the files that travel, and a name for exactly these."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runctl.engine.session import Session
from runctl.engine.travel import choose_files, locate_project
from runctl.errors import NotFoundError, UsageError
from runctl.model.codec import escape_name
from runctl.model.docker_image import BuildRequest
from runctl.project import ProjectRoot

DOCKERFILES = ("Dockerfile", "docker/Dockerfile", ".docker/Dockerfile", "Containerfile")
"""Where a Dockerfile is looked for, from the project's root; the first that is there is taken."""
_DIGITS = 16


@dataclass(frozen=True)
class Context:
    """The files of a build; ``digest`` names them together with all that the request says."""

    root: ProjectRoot
    dockerfile: str
    paths: tuple[str, ...]
    digest: str
    total_bytes: int

    def write(self, file: IO[bytes]) -> None:
        """Write it as ``docker build`` reads it; times are left out, which decide nothing."""
        with tarfile.open(fileobj=file, mode="w") as archive:
            for path in self.paths:
                archive.add(self.root.path / path, path, recursive=False, filter=_plain)


def read_context(session: Session, request: BuildRequest, cwd: Path) -> Context:
    """Look at all of it; NotFoundError without a Dockerfile."""
    root = locate_project(cwd, request.project_root)
    dockerfile = find_dockerfile(root.path, request.dockerfile, cwd)
    selection = choose_files(session, root, required=[dockerfile])
    paths = tuple(sorted({*selection.paths, dockerfile}))
    facts = [list(_describe(root.path / path, path)) for path in paths]
    asked = [dockerfile, sorted(request.build_args.items()), request.target, request.platform]
    digest = hashlib.sha256(json.dumps([facts, asked]).encode()).hexdigest()[:_DIGITS]
    return Context(root, dockerfile, paths, digest, selection.total_bytes)


def find_dockerfile(root: Path, given: str | None, cwd: Path) -> str:
    """Return it from the project's root on."""
    if given is None:
        found = next((name for name in DOCKERFILES if (root / name).is_file()), None)
        if found is None:
            raise NotFoundError(
                f"{root} has no Dockerfile: neither {', '.join(DOCKERFILES)}",
                hint="runctl docker build --dockerfile FILE",
            )
        return found
    path = (cwd / given).resolve()
    if not path.is_file():
        raise NotFoundError(f"there is no Dockerfile {given}", hint=f"ls {path.parent}")
    if not path.is_relative_to(root):
        raise UsageError(f"{given} is outside the project {root}", hint=f"cp {given} {root}")
    return str(path.relative_to(root))


def _describe(path: Path, name: str) -> Iterator[object]:
    yield escape_name(name)
    status = path.lstat()
    yield status.st_mode
    if path.is_symlink():
        yield escape_name(os.readlink(path))
    elif path.is_file():
        with path.open("rb") as file:
            yield hashlib.file_digest(file, "sha256").hexdigest()


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    return info


def variables_of(request: BuildRequest) -> Iterator[str]:
    """Yield the options of ``docker build`` that the request has."""
    for name, value in request.build_args.items():
        yield from ("--build-arg", f"{name}={value}")
    given: dict[str, Any] = {"--target": request.target, "--platform": request.platform}
    for option, value in given.items():
        if value is not None:
            yield from (option, value)
