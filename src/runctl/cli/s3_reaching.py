"""How a command of ``runctl s3`` reaches a bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from runctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from runctl.client import Storage

F = TypeVar("F", bound=Callable[..., object])
_META = "runctl.cli.s3_reaching"


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_META, {})[parameter.name] = value


def reaching(command: F) -> F:
    """The options of what looks into a bucket."""
    for option in (
        click.option(
            "--requester-pays", is_flag=True, callback=_keep, expose_value=False,
            help="Pay for it, where the bucket's owner does not.",
        ),
        click.option(
            "--anonymous", is_flag=True, callback=_keep, expose_value=False,
            help="Sign nothing: for public buckets.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def encrypting(command: F) -> F:
    """The options of what writes into a bucket."""
    for option in (
        click.option(
            "--kms-key", metavar="KEY", callback=_keep, expose_value=False,
            help="Encrypt with this key of KMS.",
        ),
        click.option(
            "--sse", type=click.Choice(["AES256", "aws:kms"]), callback=_keep, expose_value=False,
            help="How it is encrypted; as the bucket says unless given.",
        ),
    ):  # fmt: skip
        command = option(command)
    return reaching(command)


def storage_of(invocation: Invocation) -> Storage:
    """Return the buckets as the options of the current command say."""
    from runctl.model.reach import read_reach  # noqa: PLC0415

    told = click.get_current_context().meta.get(_META, {})
    reach = read_reach(
        anonymous=told.get("anonymous", False),
        requester_pays=told.get("requester_pays", False),
        sse=told.get("sse"),
        kms_key=told.get("kms_key"),
    )
    return invocation.client().storage(reach)
