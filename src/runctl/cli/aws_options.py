"""Options and arguments of the commands that look after instances, in one meaning."""

from __future__ import annotations

import click

from runctl.cli.parameters import Duration

instances_argument = click.argument("instances", metavar="INSTANCE...", nargs=-1, required=True)
not_mine_option = click.option(
    "--not-mine", is_flag=True, help="Those that do not bear your owner tag are meant as well."
)
force_option = click.option(
    "--force", is_flag=True, help="Also with a run on it, which is asked to save first."
)
flush_timeout_option = click.option(
    "--flush-timeout",
    type=Duration(),
    default="2m",
    show_default=True,
    help="How long a run may take to save.",
)
wait_timeout_option = click.option(
    "--wait-timeout",
    type=Duration(),
    default="10m",
    show_default=True,
    help="End only the waiting.",
)
