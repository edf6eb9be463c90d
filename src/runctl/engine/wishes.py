"""What is wanted of the environment, from the settings and the request."""

from __future__ import annotations

from runctl.config import Settings
from runctl.model.spec import EnvironmentWish
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
