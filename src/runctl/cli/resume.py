"""``runctl resume``: the next attempt of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.command import Command
from runctl.cli.consent import yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import attach
from runctl.cli.parameters import read_hyperparams, run_argument, wait_timeout
from runctl.cli.rented import check_unrented, find_terms, rented_options, wish_for
from runctl.cli.renting import agree, renting_settings

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.wish import InstanceWish


@click.command(cls=Command)
@run_argument
@click.option("--from", "checkpoint", metavar="CHECKPOINT", help="The newest good one unless said.")
@click.option("--on", metavar="TARGET", help="Elsewhere: aws:INSTANCE, aws:TYPE, or local.")
@click.option(
    "--set", "changed", multiple=True, metavar="K=V,…", help="Change hyperparameters from now on."
)
@click.option("--detach", is_flag=True, help="Return once the attempt has started.")
@wait_timeout
@rented_options
@yes_option
@pass_invocation
@click.pass_context
def resume(
    context: click.Context,
    invocation: Invocation,
    /,
    run: str,
    *,
    checkpoint: str | None,
    on: str | None,
    detach: bool,
    wait_timeout: timedelta | None,
    **options: Any,
) -> None:
    """Go on with RUN, the last one unless named, which did not succeed, from a checkpoint.

    It goes on where it was. A run whose instance was rented for it, and is gone, gets another of
    the same kind.

    \b
    runctl resume @last --from 3 --set lr=1e-4
    runctl resume @last --on local
    """
    from runctl.model.terms import NextAttempt  # noqa: PLC0415

    changed = read_hyperparams(options.pop("changed")) or {}
    client, terms = invocation.client(renting_settings(options)), None
    wish = _read_wish(context, client, run, on, options)
    if wish is not None:
        wish, terms = find_terms(invocation, client, wish, options)
        agree(invocation, terms.offers or (), wish, is_given=options["yes"])
    with invocation.screen.working(f"resuming {run}"):
        wanted = NextAttempt(checkpoint=checkpoint, on=on, wish=wish, hyperparams=changed)
        found = client.resume(run, wanted, terms)
    attach(invocation, client, found, is_detached=detach, timeout=wait_timeout)


def _read_wish(
    context: click.Context, client: Client, run: str, on: str | None, options: dict[str, Any]
) -> InstanceWish | None:
    """Return what is to be rented; None where there is an instance for the attempt.

    What was rented for the last one is rented again as it was: nothing of it can be changed.
    """
    wish = client.wish_of_next(run, on)
    if on is not None and client.is_to_rent(on):
        return wish_for(client, options, on)
    allowed = frozenset({"fallback"} if wish else ())
    check_unrented(context, on or "the instance that it goes on on", allowed)
    return wish
