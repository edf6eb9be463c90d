"""The images that were built here, and an end to those of yesterday."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from runctl.agent.containers.docker import Docker, last_words
from runctl.config import owner_id
from runctl.engine.docker_images.building import OWNER_LABEL, PROJECT_LABEL, docker_here
from runctl.engine.session import Session
from runctl.errors import ConflictError
from runctl.model.docker_image import ImageSummary


class _Image(msgspec.Struct, rename="pascal"):
    id: str
    created: datetime
    size: int
    repo_tags: list[str] | None = None
    config: dict[str, object] = {}


def list_images(session: Session) -> list[ImageSummary]:
    """Return the images that bear our label, newest first, under each of their names."""
    docker = docker_here()
    wanted = f"label={OWNER_LABEL}={owner_id(session.user_dir)}"
    listed = docker.ask("images", "--quiet", "--no-trunc", "--filter", wanted).stdout.decode()
    found = [one for ident in dict.fromkeys(listed.split()) for one in _look(docker, ident)]
    return sorted(found, key=lambda one: (one.created_at, one.reference), reverse=True)


def _look(docker: Docker, ident: str) -> Iterator[ImageSummary]:
    told = docker.inspect("image", ident)
    if told is None:
        return  # removed meanwhile
    image = msgspec.convert(told, _Image)
    labels = image.config.get("Labels")
    project = labels.get(PROJECT_LABEL, "") if isinstance(labels, dict) else ""
    for reference in image.repo_tags or [image.id]:
        yield ImageSummary(
            reference=reference,
            image_id=image.id,
            project=str(project),
            created_at=image.created,
            size_bytes=image.size,
        )


def choose_old(found: Sequence[ImageSummary], keep: int) -> list[ImageSummary]:
    """Return the names of all but the newest ``keep`` images of each project."""
    kept: dict[str, list[str]] = {}
    for one in found:
        newest = kept.setdefault(one.project, [])
        if one.image_id not in newest and len(newest) < keep:
            newest.append(one.image_id)
    return [one for one in found if one.image_id not in kept[one.project]]


def remove(images: Sequence[ImageSummary]) -> None:
    """Remove them from this machine; ConflictError for one that a container uses."""
    docker = docker_here()
    for one in images:
        done = docker.ask("image", "rm", one.reference)
        if done.returncode != 0:
            raise ConflictError(
                f"{one.reference} was not removed: {last_words(done.stderr)}",
                hint="docker ps --all",
            )
