"""Every command: where it lives, and its line in the help, so that help imports none of them."""

from __future__ import annotations

import click

from runctl.cli.command import LazyGroup

COMMANDS = {
    "train": ("runctl.cli.train:train", "Run a training script, and follow it."),
    "local": ("runctl.cli.local:local", "Run a training script on this machine."),
    "sync": ("runctl.cli.sync:sync", "Hold a folder of an instance to the project."),
    "runs": ("runctl.cli.runs:runs", "List runs, newest first."),
    "status": ("runctl.cli.status:status", "Show how a run stands."),
    "report": ("runctl.cli.report:report", "Show what a run has lost."),
    "logs": ("runctl.cli.logs:logs", "Print what a run has printed."),
    "wait": ("runctl.cli.wait:wait", "Wait until a run is over."),
    "stop": ("runctl.cli.stop:stop", "Stop a run: SIGTERM, grace, SIGKILL."),
    "resume": ("runctl.cli.resume:resume", "Go on with a run from a checkpoint."),
    "reconcile": ("runctl.cli.reconcile:reconcile", "Go on with runs whose instances were lost."),
    "rm": ("runctl.cli.rm:rm", "Delete runs, with all that they have stored."),
    "diff": ("runctl.cli.diff:diff", "Show in what two runs differ."),
    "exec": ("runctl.cli.exec:exec_", "Run a command beside the training."),
    "ssh": ("runctl.cli.ssh:ssh", "Open a shell on an instance, or a port of it."),
    "pull": ("runctl.cli.pull:pull", "Bring the outputs of a run here."),
    "checkpoint": ("runctl.cli.checkpoint:checkpoint", "List, verify and clean up checkpoints."),
    "s3": ("runctl.cli.s3:s3", "Move, list and verify data in S3."),
    "docker": ("runctl.cli.docker:docker", "Build images of the project, and push them."),
    "transfer": ("runctl.cli.transfer:transfer", "Carry files between here, S3 and instances."),
    "workflow": ("runctl.cli.workflow:workflow", "The whole way in one command."),
    "aws": ("runctl.cli.aws:aws", "Rent instances of EC2, train on them, end them."),
    "cloud": ("runctl.cli.cloud:cloud", "Rehearse on a local cloud, free of charge."),
    "init": ("runctl.cli.init:init", "Prepare this folder, and your owner id."),
    "config": ("runctl.cli.config:config", "Show and change settings."),
    "completion": ("runctl.cli.completion:completion", "Print the script that completes words."),
    "version": ("runctl.cli.version:version", "Print the version."),
}


def _show_version(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not context.resilient_parsing:
        from runctl.cli.version import version  # noqa: PLC0415

        context.invoke(version)
        context.exit()


version_option = click.Option(
    ["--version"],
    is_flag=True,
    expose_value=False,
    callback=_show_version,
    help="Print the version.",
)

ROOT = LazyGroup(
    "runctl",
    COMMANDS,
    help="Run a training script somewhere else as easily as here, and never lose the work.",
    params=[version_option],
    epilog="A run is named by its id, a unique beginning of it, its name, or @last.",
)
