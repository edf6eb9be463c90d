"""A run on an instance that is rented for it: agreed to first, and seen to its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.invocation import Invocation
from runctl.cli.launching import carry_out
from runctl.cli.mounting import near_volumes
from runctl.cli.parameters import together
from runctl.cli.renting import agree, asker, price_lines, read_wish, renting_options
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.run import Run
    from runctl.model.terms import Terms
    from runctl.model.views import LaunchRequest
    from runctl.model.wish import InstanceWish

IDLE_TIME = timedelta(minutes=15)
"""Ends what is rented for a run that never came, or whose agent is dead for good."""

SPARE_TIME = timedelta(hours=1)
"""Beyond --max-time, for what comes before the script, and for the last upload after it."""

rented_options = together(
    renting_options,
    click.option("--keep", is_flag=True, help="Do not end the rented instance with the run."),
)


def rent_for(
    invocation: Invocation, client: Client, request: LaunchRequest, options: Mapping[str, Any]
) -> None:
    """Plan, or carry out, a request for which an instance is rented, once that is agreed to."""
    from msgspec.structs import replace  # noqa: PLC0415

    wish = wish_for(client, options, client.config.values.run.on)
    wish = near_volumes(invocation, client, wish, request.volumes)
    wish, terms = find_terms(invocation, client, wish, options)
    if options["dry_run"]:
        for line in price_lines(terms.offers or (), wish):
            invocation.screen.message(line)
    else:
        agree(invocation, terms.offers or (), wish, is_given=options["yes"])
    carry_out(invocation, client, replace(request, wish=wish), options, terms)


def wish_for(client: Client, options: Mapping[str, Any], target: str) -> InstanceWish:
    """Return what is to be rented for a run on a target such as ``aws:g6.xlarge``."""
    named = target.partition(":")[2]
    wish = read_wish(client, options, types=(named,) if named else (), name=options.get("name"))
    if options["keep"]:
        return wish
    return _with_end(wish, client.config.values.run.max_time)


def find_terms(
    invocation: Invocation, client: Client, wish: InstanceWish, options: Mapping[str, Any]
) -> tuple[InstanceWish, Terms]:
    """Return the whole wish, and the terms that are to be agreed to."""
    from runctl.model.terms import Terms  # noqa: PLC0415

    screen, instances = invocation.screen, client.instances()
    with screen.working("looking at what is needed, and for offers"):
        for unknown in client.aws_setup().require(wish):
            screen.detail(f"{unknown.subject} is not known: {unknown.told}")
        wish = instances.complete(wish)
        offers = instances.offers(wish)
    return wish, Terms(offers, screen.note, options["fallback"], asker(invocation))


def _with_end(wish: InstanceWish, max_time: timedelta | None) -> InstanceWish:
    """Let the instance end with its run, and by itself where the run's own agent cannot end it."""
    from msgspec.structs import replace  # noqa: PLC0415

    limits = [wish.ttl, None if max_time is None else max_time + SPARE_TIME]
    ttl = min((limit for limit in limits if limit is not None), default=None)
    return replace(wish, ends_on_request=True, idle_stop=wish.idle_stop or IDLE_TIME, ttl=ttl)


def check_unrented(
    context: click.Context, target: str, allowed: frozenset[str] = frozenset()
) -> None:
    """Raise UsageError if something was said about renting, and nothing is to be rented."""
    for name in _renting_names() - allowed:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{name.replace('_', '-')} is about renting, and {target} is there already",
                hint="add --on aws:TYPE, such as --on aws:g6.xlarge",
            )


def _renting_names() -> set[str]:
    command = click.command()(rented_options(lambda: None))
    return {one.name for one in command.params if one.name}


def see_end(invocation: Invocation, client: Client, run: Run) -> None:
    """See that the instance of a run that is over ends, or say that it does not."""
    screen = invocation.screen
    if run.last is None or run.last.rental is None or run.spec.wish is None:
        return
    ident = run.last.instance
    if not run.last.ends_instance:
        screen.note(f"{ident} is kept, and costs; to end it: runctl aws terminate {ident}")
        return
    with screen.working(f"waiting until {ident} has ended"):
        found = client.see_end(run)
    if found is None:
        return
    screen.note(f"{ident} is {found.state.value}")
    if found.state.value == "running":
        screen.warn(f"{ident} stays, for another run is on it; see runctl aws status {ident}")
