"""The options of a build, which ``docker build`` and ``train --docker`` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.parameters import read_env, together

if TYPE_CHECKING:
    from runctl.model.docker_image import BuildRequest

build_options = together(
    click.option("--dockerfile", metavar="FILE", help="Of which it is built."),
    click.option("--build-arg", multiple=True, metavar="K=V", help="An argument of the build."),
    click.option("--target", metavar="STAGE", help="The stage of the Dockerfile that is built."),
    click.option("--platform", metavar="OS/ARCH", help="For which it is built."),
)
repository_options = together(
    click.option("--repository", metavar="HOST/NAME", help="What it is called, and where it goes."),
    click.option("--tag", default="latest", show_default=True, help="Its name beside its content."),
)


def read_build(options: Mapping[str, Any]) -> BuildRequest:
    from runctl.model.docker_image import BuildRequest  # noqa: PLC0415

    return BuildRequest(
        dockerfile=options["dockerfile"],
        build_args=read_env(options["build_arg"]),
        target=options["target"],
        platform=options["platform"],
        repository=options.get("repository"),
        tag=options.get("tag", "latest"),
        project_root=options.get("project_root"),
    )
