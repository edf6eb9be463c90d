"""The option that says which local cloud is meant."""

from __future__ import annotations

import click

name_option = click.option(
    "--name",
    default="default",
    envvar="RUNCTL_CLOUD",
    show_default=True,
    show_envvar=True,
    help="Which local cloud.",
)
