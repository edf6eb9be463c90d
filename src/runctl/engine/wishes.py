"""What is wanted of the environment, or of the container, from the settings and the request."""

from __future__ import annotations

from runctl.config import Settings
from runctl.model.spec import ContainerWish, EnvironmentWish
from runctl.model.views import LaunchRequest


def environment_wish(settings: Settings, request: LaunchRequest) -> EnvironmentWish:
    wish = settings.environment
    return EnvironmentWish(
        install=wish.install,
        installer=wish.installer,
        python=wish.python,
        requirements=wish.requirements,
        extras=wish.extras,
        groups=wish.groups,
        system_site_packages=wish.system_site_packages,
        no_deps=wish.no_deps,
        is_fresh=request.is_fresh,
        stage_wheels=wish.stage_wheels,
    )


def container_wish(settings: Settings) -> ContainerWish | None:
    wish = settings.docker
    if wish.image is None:
        return None
    return ContainerWish(
        image=wish.image,
        shm_bytes=wish.shm_bytes,
        options=wish.options,
        installs_docker=wish.install,
    )
