"""``runctl docker build``, ``push`` and ``build-push``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option
from runctl.cli.docker_options import build_options, read_build, repository_options
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import together

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.docker_image import BuiltImage, ImagePlan, PushedImage

create_option = click.option(
    "--create-repository",
    is_flag=True,
    help="Make the repository of ECR: it scans what is pushed and keeps the newest 30.",
)
_options = together(repository_options, build_options, dry_run_option)


@click.command(cls=Command)
@_options
@pass_invocation
def build(invocation: Invocation, /, *, dry_run: bool, **options: Any) -> None:
    """Build the image of the project as it is now, unless it is there.

    It gets two names: one of its content, and --tag, which moves on to it.

    \b
    runctl docker build --build-arg CUDA=12.6
    runctl docker build --repository 127.0.0.1:5000/digits --tag v2
    """
    images, request = invocation.client().docker_images(), read_build(options)
    if dry_run:
        _show_plan(invocation.screen, images.plan(request))
        return
    _show_built(invocation.screen, images.build(request, invocation.screen.note))


@click.command(cls=Command)
@_options
@create_option
@pass_invocation
def push(
    invocation: Invocation, /, *, dry_run: bool, create_repository: bool, **options: Any
) -> None:
    """Push the image that build has built of the project as it is now.

    To ECR with a password of its own, which is in no file of yours; to others as docker login
    has left it. What the registry has is not pushed again.
    """
    screen, request = invocation.screen, read_build(options)
    images = invocation.client().docker_images()
    if dry_run:
        _show_plan(screen, images.plan(request))
        return
    _show_pushed(screen, images.push(request, screen.note, makes_repository=create_repository))


@click.command("build-push", cls=Command)
@_options
@create_option
@pass_invocation
def build_push(
    invocation: Invocation, /, *, dry_run: bool, create_repository: bool, **options: Any
) -> None:
    """Build the image of the project as it is now, and push it; both only where it has changed."""
    screen, request = invocation.screen, read_build(options)
    images = invocation.client().docker_images()
    if dry_run:
        _show_plan(screen, images.plan(request))
        return
    images.build(request, screen.note)
    _show_pushed(screen, images.push(request, screen.note, makes_repository=create_repository))


def _show_plan(screen: Screen, plan: ImagePlan) -> None:
    what = "is there already" if plan.is_present else "would be built"
    line = f"{plan.reference} {what}, of {plan.dockerfile} and {plan.file_count} files"
    screen.show(plan, lambda: [line], plan.reference)


def _show_built(screen: Screen, built: BuiltImage) -> None:
    what = "built" if built.is_new else "unchanged"
    screen.show(built, lambda: [f"{built.reference}  {what}"], built.reference)


def _show_pushed(screen: Screen, pushed: PushedImage) -> None:
    what = "pushed" if pushed.is_new else "unchanged"
    screen.show(pushed, lambda: [f"{pushed.pinned}  {what}"], pushed.pinned)
