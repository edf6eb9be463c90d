"""What ``train`` and ``local`` share: their options, the launch, the following."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.consent import dry_run_option, yes_option
from runctl.cli.docker_options import build_options
from runctl.cli.invocation import Invocation
from runctl.cli.mounting import agree_to_volumes, volume_option
from runctl.cli.parameters import (
    Duration,
    check_secrets,
    read_env,
    read_hyperparams,
    read_indices,
    split_lists,
    together,
    transport_option,
    travel_options,
    wait_timeout,
)
from runctl.errors import Interrupted, TryAgain, UsageError

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.run import Run
    from runctl.model.terms import Terms
    from runctl.model.views import LaunchRequest

_SETTINGS = {
    "on": "run.on",
    "max_time": "run.max_time",
    "hang_timeout": "run.hang_timeout",
    "retries": "run.retries",
    "grace": "run.grace",
    "stop_signal": "run.stop_signal",
    "checkpoint_dir": "checkpoint.dir",
    "keep_last": "checkpoint.keep_last",
    "python": "environment.python",
    "installer": "environment.installer",
    "system_site_packages": "environment.system_site_packages",
    "no_deps": "environment.no_deps",
    "install": "environment.install",
    "stage_wheels": "environment.stage_wheels",
    "transport": "aws.transport",
    "image": "docker.image",
    "shm_size": "docker.shm_bytes",
    "install_docker": "docker.install",
}

detach_option = click.option("--detach", is_flag=True, help="Return once the run has started.")
launch_options = together(
    click.option("--name", help="A name for the run."),
    click.option(
        "--hyperparams", multiple=True, metavar="K=V,…|@FILE", help="Arguments of the script."
    ),
    click.option("--env", multiple=True, metavar="K=V", help="A variable for the script."),
    click.option(
        "--secret", multiple=True, metavar="NAME", help="A variable of yours, never recorded."
    ),
    click.option("--checkpoint-dir", metavar="FOLDER", help="Where the script saves."),
    click.option("--keep-last", type=click.IntRange(1), help="How many checkpoints are kept."),
    travel_options,
    click.option("--max-time", type=Duration(has_none=True), help="End the run after this time."),
    wait_timeout,
    click.option("--retries", type=click.IntRange(0), help="Attempts after the first."),
    click.option(
        "--retry-on",
        multiple=True,
        metavar="END,…",
        help="Which: interruption, lost, exit, exit:137, hang, oom, gpu-lost; all unless said.",
    ),
    click.option(
        "--hang-timeout",
        type=Duration(has_none=True),
        help="End a script that neither prints nor saves for so long.",
    ),
    click.option(
        "--fail-on",
        multiple=True,
        type=click.Choice(["nan"]),
        help="End a script whose loss is no number.",
    ),
    click.option("--grace", type=Duration(), help="From the stop signal to SIGKILL."),
    click.option(
        "--stop-signal",
        type=click.Choice(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"]),
        help="What asks the script to save and end.",
    ),
    click.option(
        "--data",
        "--data-s3",
        "data",
        multiple=True,
        metavar="PATH|s3://…[=NAME]",
        help="Data, brought into RUNCTL_DATA_DIR first.",
    ),
    click.option(
        "--output-s3", metavar="s3://…", help="Put checkpoints and outputs there as plain files."
    ),
    volume_option,
    click.option("--gpus", metavar="0,1", help="The GPUs that the run claims."),
    click.option("--queue", is_flag=True, help="Wait where the GPUs are taken."),
    dry_run_option,
    yes_option,
    click.option("--python", metavar="VERSION", help="Such as 3.12."),
    click.option(
        "--requirements", metavar="FILE", multiple=True, help="A requirements file, from the root."
    ),
    click.option("--extra", metavar="NAME", multiple=True, help="An extra of the project."),
    click.option("--group", metavar="NAME", multiple=True, help="A dependency group of it."),
    click.option("--refresh-env", is_flag=True, help="Install anew, whatever is there."),
    click.option("--installer", type=click.Choice(["auto", "uv", "pip"]), help="What installs."),
    click.option(
        "--system-site-packages/--no-system-site-packages",
        default=None,
        help="Keep the image's own packages.",
    ),
    click.option("--no-deps/--deps", default=None, help="Install only what is listed."),
    click.option(
        "--stage-wheels/--no-stage-wheels",
        default=None,
        help="Send wheels from here: the instance needs no index.",
    ),
    click.option("--install/--no-install", default=None, help="Install what is declared."),
    click.option("--image", metavar="REF", help="Run it in a container of this image."),
    click.option("--docker", is_flag=True, help="Run it in the image of the project's Dockerfile."),
    build_options,
    click.option("--shm-size", metavar="SIZE", help="The container's shared memory, such as 8G."),
    click.option(
        "--docker-option", multiple=True, metavar="ARG", help="An argument of docker run."
    ),
    click.option(
        "--install-docker/--no-install-docker",
        default=None,
        help="Install Docker where the instance has none.",
    ),
    transport_option,
    click.argument("script"),
    click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
)


def launch(invocation: Invocation, options: Mapping[str, Any]) -> None:
    """Plan, or start a run; follow it unless it was to be left alone."""
    client = invocation.client(settle(invocation, options, collect_settings(options)))
    carry_out_there(invocation, client, read_request(options), options)


def carry_out_there(
    invocation: Invocation, client: Client, request: LaunchRequest, options: Mapping[str, Any]
) -> None:
    """Carry a request out on what is there, once the price of its new volumes is agreed to."""
    if not options["dry_run"]:
        target = client.config.values.run.on
        agree_to_volumes(invocation, client, request.volumes, target, yes=options["yes"])
    carry_out(invocation, client, request, options)


def carry_out(
    invocation: Invocation,
    client: Client,
    request: LaunchRequest,
    options: Mapping[str, Any],
    terms: Terms | None = None,
) -> None:
    """Plan a request, or start it, as ``launch`` does; ``terms`` are those of renting."""
    if options["dry_run"]:
        _show_plan(invocation, client.plan(request))
        return
    if request.explain:
        raise UsageError("--explain belongs to a plan", hint="add --dry-run")
    accepting = make_terms(invocation, terms, is_given=options["yes"])
    with invocation.screen.working("starting the run"):
        run = client.train(request, accepting)
    attach(invocation, client, run, is_detached=options["detach"], timeout=options["wait_timeout"])


def make_terms(invocation: Invocation, terms: Terms | None, *, is_given: bool) -> Terms:
    """Return the terms, with how the user is asked about what is better not sent."""
    from dataclasses import replace  # noqa: PLC0415

    from runctl.cli.acceptance import accept  # noqa: PLC0415
    from runctl.model.terms import Terms  # noqa: PLC0415

    how = partial(accept, invocation.screen, is_given=is_given)
    return replace(terms or Terms(tell=invocation.screen.note), accept=how)


def settle(
    invocation: Invocation, options: Mapping[str, Any], settings: dict[str, object]
) -> dict[str, object]:
    """Return the settings with the image that the run goes in, which may have to be built."""
    from runctl.cli.docker_runs import settle_image  # noqa: PLC0415

    return settle_image(invocation, options, settings)


def read_request(options: Mapping[str, Any]) -> LaunchRequest:
    from runctl.model.data import check_place, read_sources  # noqa: PLC0415
    from runctl.model.views import LaunchRequest  # noqa: PLC0415
    from runctl.model.volume import read_volumes  # noqa: PLC0415

    return LaunchRequest(
        script=options["script"],
        arguments=options["arguments"],
        name=options["name"],
        gpus=read_indices(options["gpus"]),
        is_queued=options["queue"],
        project_root=options["project_root"],
        include=options["include"],
        exclude=options["exclude"],
        explain=options["explain"],
        is_code_kept=not options.get("sync_code", True),
        data=read_sources(options["data"]),
        published_to=check_place(options["output_s3"]),
        is_fresh=options["refresh_env"],
        volumes=read_volumes(options["volumes"]),
    )


def collect_settings(options: Mapping[str, Any]) -> dict[str, object]:
    settings: dict[str, object] = {key: options.get(name) for name, key in _SETTINGS.items()}
    settings["run.wait_timeout"] = options["wait_timeout"]
    settings["run.hyperparams"] = read_hyperparams(options["hyperparams"])
    settings["docker.options"] = options["docker_option"] or None
    settings["environment.requirements"] = split_lists(options["requirements"]) or None
    settings["environment.extras"] = split_lists(options["extra"]) or None
    settings["environment.groups"] = split_lists(options["group"]) or None
    settings["run.env"] = read_env(options["env"]) or None
    settings["run.retry_on"] = split_lists(options["retry_on"]) or None
    settings["run.fail_on"] = options["fail_on"] or None
    settings["run.secrets"] = check_secrets(split_lists(options["secret"])) or None
    return settings


def _show_plan(invocation: Invocation, plan: Any) -> None:
    from runctl.cli.pages import plan_page  # noqa: PLC0415

    invocation.screen.show(plan, lambda: plan_page(plan), plan.name)


def _tell_who_goes_on(invocation: Invocation, run: Any, *, is_detached: bool) -> None:
    """Say who rents again where the instance of a run is taken back or lost."""
    if run.spec.wish is None or not run.spec.limits.retries:
        return
    who = "runctl reconcile --yes rents another: put it into cron"
    if not is_detached:
        who = "this command rents another while it runs; after that runctl reconcile --yes does"
    invocation.screen.note(f"where the instance is taken back or lost, {who}")


def attach(
    invocation: Invocation, client: Any, run: Any, *, is_detached: bool, timeout: timedelta | None
) -> None:
    """Follow a run from its last attempt on, and end as it does; or say how to come back."""
    from runctl.cli.documents import describe_run  # noqa: PLC0415
    from runctl.cli.following import Viewer, conclude, detaching  # noqa: PLC0415

    screen, run_id, name = invocation.screen, run.run_id, run.spec.name
    if is_detached:
        screen.show(describe_run(run), lambda: [f"{run_id}  {name}"], run_id)
        client.settle(run_id)
        screen.note(f"to follow: runctl logs {run_id} -f; to end it: runctl stop {run_id}")
        _tell_who_goes_on(invocation, run, is_detached=True)
        return
    if not (screen.is_json or screen.is_text):
        screen.show(None, list, run_id)
    screen.note(f"run {name} ({run_id})")
    _tell_who_goes_on(invocation, run, is_detached=False)
    try:
        with detaching(run_id, name):
            updates = client.follow(
                run_id,
                is_owner=True,
                attempt=max(1, len(run.attempts)),
                timeout=client.config.values.run.wait_timeout if timeout is None else timeout,
                tell=screen.note,
            )
            over = Viewer(screen).show(updates)
    except (Interrupted, TryAgain):  # the user was told how to come back
        client.settle(run_id)
        raise
    client.settle(run_id)
    _see_end(invocation, client, over)
    conclude(client, over)


def _see_end(invocation: Invocation, client: Client, over: Run | None) -> None:
    if over is None or over.last is None:
        return
    if over.last.rental is not None:
        from runctl.cli.rented import see_end  # noqa: PLC0415 - only where it is rented

        see_end(invocation, client, over)
    if over.last.mounts:
        client.volumes().release(over, invocation.screen.note)
