"""``runctl cloud start``, ``stop``, ``reset``: the process of a local cloud."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click

from runctl.cli.cloud_options import name_option
from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.errors import CloudNotRunning, Interrupted, ProviderError

if TYPE_CHECKING:
    from runctl.client import Rehearsal
    from runctl.model.cloud import CloudEnd, CloudStarted


@click.command(cls=Command)
@click.option(
    "--tier",
    type=click.Choice(["auto", "root", "rootless", "namespace", "bubblewrap", "plain"]),
    default="auto",
    show_default=True,
    help="How instances are made; the last three are the rootless ones, best first.",
)
@click.option("--detach", is_flag=True, help="Return once it answers.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A free one unless said.")
@name_option
@pass_invocation
def start(invocation: Invocation, *, tier: str, detach: bool, port: int, name: str) -> None:
    """Start the local cloud, and serve it until Ctrl-C; with --detach, in the background.

    It listens on 127.0.0.1 alone. What was in it when it was last ended is there again, and
    instances have run on. One that runs already is left as it is.
    """
    cloud, screen = invocation.client().cloud(name), invocation.screen
    if detach:
        with screen.working("starting the local cloud"):
            started = cloud.start(tier=tier, port=port)
        _show_start(invocation, cloud, started)
        return
    with screen.working("starting the local cloud"):
        started, process = cloud.run(tier=tier, port=port)
    _show_start(invocation, cloud, started)
    if process is not None:
        _wait(invocation, cloud, process)


@click.command(cls=Command)
@click.option("--purge", is_flag=True, help="Remove all of it: instances, disks, buckets.")
@yes_option
@dry_run_option
@name_option
@pass_invocation
def stop(invocation: Invocation, *, purge: bool, yes: bool, dry_run: bool, name: str) -> None:
    """End the process of the local cloud; its instances run on.

    With --purge, all that it has made goes: processes, mounts, network, disks, buckets, and its
    folder.
    """
    cloud, screen = invocation.client().cloud(name), invocation.screen
    if dry_run:
        _show_plan(invocation, cloud, is_purged=purge)
        return
    if purge and cloud.is_there:
        for line in [] if yes else _inventory(cloud):
            screen.note(line)
        question = f"Remove the local cloud {name}, with all that is in it?"
        require_consent(screen, question, is_given=yes)
    with screen.working("removing the local cloud" if purge else "stopping the local cloud"):
        ended = cloud.purge() if purge else cloud.stop()
    _show_end(invocation, ended)


@click.command(cls=Command)
@yes_option
@dry_run_option
@name_option
@pass_invocation
def reset(invocation: Invocation, *, yes: bool, dry_run: bool, name: str) -> None:
    """Take the local cloud back to an empty one: all goes but its address and credentials."""
    cloud, screen = invocation.client().cloud(name), invocation.screen
    before = cloud.status()
    lines = _inventory_of(before.instances, before.counts)
    if not dry_run:
        for line in [] if yes else lines:
            screen.note(line)
        require_consent(screen, f"Destroy all that is in the local cloud {name}?", is_given=yes)
        with screen.working("emptying the local cloud"):
            cloud.reset()
    document = {
        "name": name,
        "is_dry_run": dry_run,
        "instances": before.instances,
        "counts": before.counts,
    }
    verb = "would be destroyed" if dry_run else "destroyed"
    screen.show(document, lambda: [f"{verb}: {line}" for line in lines] or ["it is empty"], name)


def _show_start(invocation: Invocation, cloud: Rehearsal, started: CloudStarted) -> None:
    screen, option = invocation.screen, _option(started.name)
    said = "runs already" if started.is_already_running else "runs"
    line = f"the local cloud {started.name} {said} at {started.address} ({started.tier})"
    screen.show(started, lambda: [line], started.name)
    lacks = [one.replace("_", " ") for one in cloud.status().tier.lacks]
    if lacks:
        screen.note(f"its instances lack, with the tier {started.tier}: {', '.join(lacks)}")
    screen.note(f'to use it: eval "$(runctl cloud env{option})"')


def _wait(invocation: Invocation, cloud: Rehearsal, process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of the process; Ctrl-C ends it."""
    try:
        status = process.wait()
    except KeyboardInterrupt:
        with invocation.screen.working("stopping the local cloud"):
            ended = cloud.stop()
        process.wait()
        raise Interrupted(
            f"the local cloud {cloud.name} has stopped; {_going_on(ended)}",
            hint=f"runctl cloud start{_option(cloud.name)}, "
            f"or runctl cloud stop --purge{_option(cloud.name)}",
        ) from None
    if status != 0:
        raise ProviderError(
            f"the local cloud {cloud.name} has ended by itself, with status {status}",
            hint=f"see {cloud.folder / 'cloud.log'}, and type the same again",
        )


def _show_plan(invocation: Invocation, cloud: Rehearsal, *, is_purged: bool) -> None:
    document = {
        "name": cloud.name,
        "folder": str(cloud.folder),
        "is_running": cloud.is_running,
        "is_purged": is_purged,
        "is_dry_run": True,
    }
    lines = [f"would end the process of the local cloud {cloud.name}"] if cloud.is_running else []
    if is_purged and cloud.is_there:
        lines += [f"would remove {line}" for line in _inventory(cloud)]
    invocation.screen.show(document, lambda: lines or ["there is nothing to do"], cloud.name)
    invocation.screen.note("nothing was done: this is --dry-run")


def _inventory(cloud: Rehearsal) -> list[str]:
    """Say what is in it, as far as it can be asked."""
    try:
        found = cloud.status()
    except CloudNotRunning:
        return [f"all that is in {cloud.folder}"]
    return [*_inventory_of(found.instances, found.counts), f"all that is in {cloud.folder}"]


def _inventory_of(instances: dict[str, int], counts: dict[str, int]) -> list[str]:
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    alive = {state: n for state, n in instances.items() if state != "terminated"}
    lines = [f"{tell_count(n, 'instance')} ({state})" for state, n in alive.items()]
    return lines + [tell_count(n, kind[:-1]) for kind, n in counts.items() if n]


def _show_end(invocation: Invocation, ended: CloudEnd) -> None:
    if ended.is_purged:
        line = f"the local cloud {ended.name} is gone, and all that it had made"
    elif ended.was_running:
        line = f"the local cloud {ended.name} has stopped; {_going_on(ended)}"
    else:
        line = f"the local cloud {ended.name} does not run"
    invocation.screen.show(ended, lambda: [line], ended.name)
    if ended.instances and not ended.is_purged:
        invocation.screen.note(f"to end them too: runctl cloud stop --purge{_option(ended.name)}")


def _going_on(ended: CloudEnd) -> str:
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    verb = "runs on" if ended.instances == 1 else "run on"
    count = tell_count(ended.instances, "instance") if ended.instances else "no instance"
    return f"{count} {verb if ended.instances else 'runs'}"


def _option(name: str) -> str:
    return "" if name == "default" else f" --name {name}"
