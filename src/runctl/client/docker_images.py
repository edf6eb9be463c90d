"""The container images of a project, as their user sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import ConfigError
from runctl.model.docker_image import (
    BuildRequest,
    BuiltImage,
    ImagePlan,
    ImageSummary,
    PushedImage,
)

if TYPE_CHECKING:
    from runctl.engine.session import Session

Tell = Callable[[str], None]


class DockerImages:
    """What ``Client.docker_images`` returns: of the Docker on this machine.

    A request without a repository means that of the settings, if there is one. ``tell`` gets what
    Docker says, line by line.
    """

    def __init__(self, session: Session, cwd: Path) -> None:
        self._session = session
        self._cwd = cwd

    def plan(self, request: BuildRequest) -> ImagePlan:
        """Say what would be built, and whether it is there already; nothing is."""
        from runctl.engine.docker_images import building  # noqa: PLC0415

        return building.plan(self._session, self._complete(request), self._cwd)

    def build(self, request: BuildRequest, tell: Tell) -> BuiltImage:
        """Build the image of the project as it is now, unless it is there."""
        from runctl.engine.docker_images import building  # noqa: PLC0415

        return building.build(self._session, self._complete(request), self._cwd, tell)

    def push(
        self, request: BuildRequest, tell: Tell, *, makes_repository: bool = False
    ) -> PushedImage:
        """Push what ``build`` has built, unless the registry has it."""
        from runctl.engine.docker_images.pushing import push  # noqa: PLC0415

        complete = self._complete(request)
        if complete.repository is None:
            raise ConfigError(
                "no repository is set to push to",
                hint="runctl config set docker.repository HOST/NAME",
            )
        reference = self.plan(complete).reference
        tag = complete.tag
        return push(self._session, reference, tag, tell, makes_repository=makes_repository)

    def choose_old(self, keep: int) -> list[ImageSummary]:
        """Return those beside the newest ``keep`` of each project."""
        from runctl.engine.docker_images.keeping import choose_old, list_images  # noqa: PLC0415

        return choose_old(list_images(self._session), keep)

    def list(self) -> list[ImageSummary]:
        """Return the images that were built here, newest first."""
        from runctl.engine.docker_images.keeping import list_images  # noqa: PLC0415

        return list_images(self._session)

    def remove(self, images: Sequence[ImageSummary]) -> None:
        """Remove them from this machine."""
        from runctl.engine.docker_images.keeping import remove  # noqa: PLC0415

        remove(images)

    def _complete(self, request: BuildRequest) -> BuildRequest:
        from msgspec.structs import replace  # noqa: PLC0415

        repository = request.repository or self._session.config.values.docker.repository
        return replace(request, repository=repository)
