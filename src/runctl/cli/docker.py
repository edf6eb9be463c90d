"""``runctl docker``: images of the project, built here and pushed to a registry."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "build": ("runctl.cli.docker_building:build", "Build the project's image."),
    "push": ("runctl.cli.docker_building:push", "Push it to a registry."),
    "build-push": ("runctl.cli.docker_building:build_push", "Build it, and push it."),
    "images": ("runctl.cli.docker_keeping:images", "List the images that were built here."),
    "prune": ("runctl.cli.docker_keeping:prune", "Remove all but the newest of them."),
}

docker = LazyGroup(
    "docker",
    COMMANDS,
    help="""Build images out of the project, and push them.

An image is built of the files that travel, and called after them: what has not changed is neither
built nor pushed again. The Dockerfile is the first of Dockerfile, docker/Dockerfile,
.docker/Dockerfile and Containerfile that is there, unless --dockerfile names another.
""",
)
