"""``runctl sync``: the project's files into a folder of an instance, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.aws_options import not_mine_option
from runctl.cli.command import Command
from runctl.cli.consent import yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import transport_option, travel_options
from runctl.cli.sentences import tell_count, tell_path
from runctl.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.sync import Synced
    from runctl.model.travel import TravelRequest

SHOWN = 5


@click.command(cls=Command)
@click.argument("instance", required=False, metavar="[INSTANCE|RUN]")
@click.argument("folder", required=False)
@travel_options
@click.option("--dry-run", is_flag=True, help="Say what would travel; send nothing.")
@click.option("--watch", is_flag=True, help="Stay, and bring each change.")
@click.option("--force", is_flag=True, help="Replace what was written there, too.")
@yes_option
@transport_option
@not_mine_option
@pass_invocation
def sync(invocation: Invocation, /, **options: Any) -> None:
    """Hold FOLDER of an instance to the project in this folder.

    FOLDER is relative to the home of the login user there, and has the project's name unless it
    is given. What is there and was not brought by a sync stays as it is.

    \b
    runctl sync @last
    runctl sync i-0123456789abcdef0 work/digits --watch
    runctl sync --dry-run --explain data/x.csv --explain notebooks
    """
    request = _read_files(options)
    if options["dry_run"]:
        _plan(invocation, request)
    elif options["explain"]:
        raise UsageError("--explain belongs to a plan", hint="add --dry-run")
    elif not options["instance"]:
        raise UsageError("an instance or a run is missing", hint="runctl sync @last")
    else:
        _move(invocation, request, options)


def _read_files(options: dict[str, Any]) -> TravelRequest:
    from runctl.model.travel import TravelRequest  # noqa: PLC0415

    return TravelRequest(
        project_root=options["project_root"],
        include=options["include"],
        exclude=options["exclude"],
        explain=options["explain"],
    )


def _plan(invocation: Invocation, request: TravelRequest) -> None:
    from runctl.cli.travel_pages import travel_page  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    with screen.working("looking at the project"):
        plan = client.plan_travel(request)
    screen.show(plan, lambda: travel_page(plan), [one.path for one in plan.files])


def _move(invocation: Invocation, files: TravelRequest, options: dict[str, Any]) -> None:
    from runctl.cli.acceptance import accept  # noqa: PLC0415
    from runctl.model.sync import SyncRequest  # noqa: PLC0415

    screen, is_watching = invocation.screen, options["watch"]
    client = invocation.client({"aws.transport": options["transport"]})
    machine = client.machine(options["instance"], is_foreign=options["not_mine"])
    request = SyncRequest(
        files=files,
        folder=options["folder"],
        is_forced=options["force"],
        is_watching=is_watching,
    )
    agree = partial(accept, screen, is_given=options["yes"])
    found = machine.sync(request, agree, screen.note)
    if is_watching:
        _watch(screen, found, options["instance"])
        return
    with screen.working(f"syncing with {machine.instance.instance_id}"):
        synced = next(found)
    screen.show(synced, lambda: _lines(synced), synced.instance_id)


def _watch(screen: Screen, found: Iterator[Synced], instance: str) -> None:
    changes = removals = 0
    try:
        for synced in found:
            screen.show(synced, partial(_lines, synced), synced.instance_id)
            changes, removals = changes + len(synced.changed), removals + len(synced.removed)
    except KeyboardInterrupt:
        raise Interrupted(
            f"no longer in step: {changes} brought, {removals} removed while it was watched",
            hint=f"runctl sync {instance} --watch",
        ) from None


def _lines(synced: Synced) -> Iterator[str]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    where = f"{synced.folder} on {synced.instance_id}"
    files = tell_count(synced.file_count, "file")
    if not synced.changed and not synced.removed:
        yield f"{where}: nothing has changed, {files}"
        return
    for mark, paths in (("+", synced.changed), ("-", synced.removed)):
        yield from (f"  {mark} {tell_path(path)}" for path in paths[:SHOWN])
        if len(paths) > SHOWN:
            yield f"  {mark} {len(paths) - SHOWN} more"
    counts = f"{len(synced.changed)} brought, {len(synced.removed)} removed"
    yield f"{where}: {counts}, {format_size(synced.sent_bytes)} sent, {files}"
