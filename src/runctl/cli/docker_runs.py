"""``--docker``: a run in the image that is built out of its project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runctl.cli.docker_options import read_build
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation


def settle_image(
    invocation: Invocation, options: Mapping[str, Any], settings: dict[str, object]
) -> dict[str, object]:
    """Build the image that is asked for; return the settings with it.

    For a run elsewhere it is pushed to the repository of the settings, and taken by its digest.
    """
    if not options["docker"]:
        _check_unbuilt(options)
        return settings
    if options["image"]:
        raise UsageError("--docker builds an image, and --image names one", hint="leave out one")
    client, request = invocation.client(settings), read_build(options)
    images, screen = client.docker_images(), invocation.screen
    if options["dry_run"]:
        return settings | {"docker.image": images.plan(request).reference}
    built = images.build(request, screen.note)
    if client.config.values.run.on.partition(":")[0] == "local":
        return settings | {"docker.image": built.reference}
    return settings | {"docker.image": images.push(request, screen.note).pinned}


def _check_unbuilt(options: Mapping[str, Any]) -> None:
    given = next((name for name in ("dockerfile", "build_arg", "target", "platform")
                  if options[name]), None)  # fmt: skip
    if given is not None:
        flag = f"--{given.replace('_', '-')}"
        raise UsageError(f"{flag} belongs to an image that is built", hint="add --docker")
