"""``runctl checkpoint``: what a run, or a folder, has saved."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.checkpoint_pages import cleanup_table, info_page, list_table, plain
from runctl.cli.command import Group
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import attach, make_terms
from runctl.cli.parameters import wait_timeout
from runctl.cli.sentences import tell_count, tell_step
from runctl.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.client import Client
    from runctl.model.run import Run
    from runctl.model.views import CheckpointPlace, CheckpointView, CleanupItem

target_argument = click.argument("target", metavar="[RUN|FOLDER]", default="@last")


@click.group(cls=Group)
def checkpoint() -> None:
    """List, verify, fetch and clean up the checkpoints of a run or of a plain folder.

    RUN is an id, a unique beginning of one, a name, or @last. FOLDER is a path: with a slash in
    it, as in ./checkpoints, it is never taken for a run. One checkpoint is named by its label
    (as list shows it), its file's name, step=N, or latest. Nothing in it is ever executed.
    """


@checkpoint.command("list", short_help="List checkpoints, oldest first.")
@target_argument
@pass_invocation
def list_(invocation: Invocation, target: str) -> None:
    """List checkpoints, oldest first; one that is not whole is shown as bad, with the reason."""
    client = invocation.client()
    with invocation.screen.working("looking at the checkpoints"):
        is_run = _is_run(invocation, client, target)
        views = client.checkpoints(target)
    _show(invocation, views, is_run=is_run)
    if not views:
        invocation.screen.note(f"there is no checkpoint in {target}")


@checkpoint.command(short_help="Show what is in a checkpoint.")
@target_argument
@click.argument("which", default="latest")
@click.option("--all", "is_all", is_flag=True, help="Show every tensor.")
@pass_invocation
def info(invocation: Invocation, target: str, which: str, *, is_all: bool) -> None:
    """Show what is in the checkpoint WHICH, the newest whole one unless named."""
    client, screen = invocation.client(), invocation.screen
    with screen.working("looking into the checkpoint"):
        _is_run(invocation, client, target)
        detail = client.checkpoint(target, which)
    screen.show(
        detail,
        lambda: info_page(detail, _bold(screen), is_all=is_all),
        detail.view.label,
    )


@checkpoint.command(short_help="Verify one checkpoint, or all.")
@target_argument
@click.argument("which", required=False)
@click.option("--deep", is_flag=True, help="Read every byte: hashes, checksums, all content.")
@pass_invocation
def verify(invocation: Invocation, target: str, which: str | None, *, deep: bool) -> int:
    """Verify the checkpoint WHICH, or all; the exit status is 10 if one is bad."""
    client, screen = invocation.client(), invocation.screen
    with screen.working("verifying"):
        is_run = _is_run(invocation, client, target)
        views = client.verify_checkpoints(target, which, is_deep=deep)
    _show(invocation, views, is_run=is_run)
    bad = [view for view in views if view.verdict.value == "bad"]
    if not bad:
        return 0
    if screen.is_json:
        return IntegrityError.exit_code  # the document that is printed has it all
    names = ", ".join(view.label for view in bad)
    raise IntegrityError(
        f"{len(bad)} of {len(views)} checkpoints are bad: {names}",
        hint=f"runctl checkpoint list {target}",
    )


@checkpoint.command(short_help="Bring a checkpoint of a run here.")
@click.argument("words", metavar="RUN [WHICH] FOLDER", nargs=-1)
@pass_invocation
def download(invocation: Invocation, words: tuple[str, ...]) -> None:
    """Bring the checkpoint WHICH of RUN, the newest whole one unless named, into FOLDER.

    It has its name there once all of it is verified; what is there already is never replaced.
    """
    if len(words) not in (2, 3):
        raise UsageError(
            "download takes a run, perhaps a checkpoint, and a folder",
            hint="runctl checkpoint download RUN [WHICH] FOLDER",
        )
    run, folder, which = words[0], words[-1], words[1] if len(words) == 3 else "latest"
    client, screen = invocation.client(), invocation.screen
    with screen.working(f"bringing {which}"):
        found = client.download_checkpoint(run, which, Path(folder))
    _tell_passed_over(invocation, found.passed_over)
    screen.show(found, lambda: [found.path], found.label)


@checkpoint.command(short_help="Go on from a checkpoint.")
@click.argument("target", metavar="RUN|FOLDER")
@click.argument("script", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--from", "--which", "which", metavar="WHICH", help="The newest whole one unless said."
)
@click.option("--name", help="A name for the new run.")
@click.option("--retries", type=click.IntRange(0), help="Attempts after the first.")
@click.option("--detach", is_flag=True, help="Return once the attempt has started.")
@wait_timeout
@yes_option
@pass_invocation
def resume(invocation: Invocation, /, **options: Any) -> None:
    """Go on with RUN from a checkpoint; or start SCRIPT from one in FOLDER, as a new run.

    \b
    runctl checkpoint resume RUN --from step=500
    runctl checkpoint resume ./checkpoints train.py -- --lr 0.1

    The script finds the checkpoint's path in RUNCTL_RESUME_FROM. ARGUMENTS after -- reach it
    byte for byte.
    """
    client = invocation.client({"run.retries": options["retries"]})
    is_run = _is_run(invocation, client, options["target"])
    run = (_resume_run if is_run else _start_from)(invocation, client, options)
    attach(
        invocation,
        client,
        run,
        is_detached=options["detach"],
        timeout=options["wait_timeout"],
    )


def _resume_run(invocation: Invocation, client: Client, options: Mapping[str, Any]) -> Run:
    target = options["target"]
    for name in ("script", "name", "retries"):
        if options[name] is not None:
            raise UsageError(
                f"{target} is a run, which has its own {name} already",
                hint=f"runctl checkpoint resume {target} --from WHICH",
            )
    from runctl.model.terms import NextAttempt  # noqa: PLC0415

    with invocation.screen.working(f"resuming {target}"):
        return client.resume(target, NextAttempt(checkpoint=options["which"]))


def _start_from(invocation: Invocation, client: Client, options: Mapping[str, Any]) -> Run:
    from runctl.model.views import LaunchRequest  # noqa: PLC0415

    target = options["target"]
    if options["script"] is None:
        raise UsageError(
            f"{target} is a folder: which script is to go on from a checkpoint in it?",
            hint=f"runctl checkpoint resume {target} SCRIPT -- ARGUMENTS",
        )
    with invocation.screen.working("starting the run"):
        chosen = client.choose_checkpoint(target, options["which"])
        _tell_passed_over(invocation, chosen.passed_over)
        invocation.screen.note(f"resumes from {plain(chosen.label)}{tell_step(chosen.step)}")
        request = LaunchRequest(
            script=options["script"],
            arguments=options["arguments"],
            name=options["name"],
            resume_from=chosen.path,
        )
        return client.train(request, make_terms(invocation, None, is_given=options["yes"]))


@checkpoint.command(short_help="Delete old checkpoints.")
@target_argument
@click.option("--keep-last", type=click.IntRange(1), required=True, help="How many stay.")
@click.option("--best", metavar="METRIC", help="The best by this stays too, such as loss.")
@click.option("--maximise/--minimise", default=None, help="Whether a high METRIC is the best.")
@dry_run_option
@yes_option
@pass_invocation
def cleanup(
    invocation: Invocation,
    target: str,
    *,
    keep_last: int,
    best: str | None,
    maximise: bool | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Delete checkpoints, but for the last N, the best by a metric, and those in use.

    Names that differ in their numbers only are a series, and the last N of each series stay.
    """
    client, screen = invocation.client(), invocation.screen
    place = _locate(invocation, client, target)

    def clean(only: Sequence[str] | None = None) -> list[CleanupItem]:
        with screen.working("cleaning up"):
            return client.clean_checkpoints(
                str(place.run_id or place.path),  # @last may soon be another
                keep_last=keep_last,
                best=best,
                is_maximised=maximise,
                only=only,
                is_dry_run=only is None,
            )

    plan = clean()
    going = [item for item in plan if not item.is_kept]
    if dry_run or not going:
        _show_cleanup(invocation, plan, is_dry_run=dry_run)
        screen.note(
            "nothing was deleted: this is --dry-run" if dry_run else "there is nothing to delete"
        )
        return
    what = tell_count(len(going), "checkpoint")
    for item in [] if yes else going:
        screen.note(f"{plain(item.name)}  {plain(item.reason)}")
    require_consent(screen, f"Delete {what} of {target}?", is_given=yes)
    _show_cleanup(invocation, clean([item.label for item in going]), is_dry_run=False)


def _show_cleanup(
    invocation: Invocation, items: Sequence[CleanupItem], *, is_dry_run: bool
) -> None:
    gone = [item for item in items if not item.is_kept]
    size_bytes = sum(item.size_bytes for item in gone)
    document = {"is_dry_run": is_dry_run, "deleted_bytes": size_bytes, "checkpoints": items}
    screen = invocation.screen
    header, rows = cleanup_table(items, is_dry_run=is_dry_run)
    screen.show(
        document,
        lambda: screen.show_table(header, rows) if rows else [],
        [item.label for item in gone],
    )


def _show(invocation: Invocation, views: Sequence[CheckpointView], *, is_run: bool) -> None:
    screen = invocation.screen
    header, rows = list_table(views, is_run=is_run)
    screen.show(
        views,
        lambda: screen.show_table(header, rows) if rows else [],
        [view.label for view in views],
    )


def _is_run(invocation: Invocation, client: Client, target: str) -> bool:
    return _locate(invocation, client, target).run_id is not None


def _locate(invocation: Invocation, client: Client, target: str) -> CheckpointPlace:
    """Tell a run from a folder; say so where the word could mean either."""
    place = client.checkpoint_place(target)
    for note in place.notes:
        invocation.screen.note(note)
    return place


def _tell_passed_over(invocation: Invocation, passed_over: Mapping[str, str]) -> None:
    for label, reason in passed_over.items():
        invocation.screen.warn(f"{plain(label)} was passed over: {plain(reason)}")


def _bold(screen: Screen) -> Callable[[str], str]:
    return lambda text: screen.paint(text, "bold", sys.stdout)
