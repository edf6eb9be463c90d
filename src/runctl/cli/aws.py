"""``runctl aws``: instances of EC2, from the account's set-up to their end."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "create": ("runctl.cli.aws_create:create", "Rent an instance."),
    "setup": ("runctl.cli.aws_setup:setup", "Make what your instances need in the account."),
    "check": ("runctl.cli.aws_check:check", "Check that an instance would find all it needs."),
    "teardown": ("runctl.cli.aws_teardown:teardown", "Take away what setup made."),
    "train": ("runctl.cli.aws_train:train", "Run a training script on an instance."),
    "monitor": ("runctl.cli.aws_train:monitor", "Print what the run on an instance prints."),
    "processes": ("runctl.cli.aws_processes:processes", "Show what goes on on an instance."),
    "list": ("runctl.cli.aws_looking:list_", "List your instances, with what they cost."),
    "status": ("runctl.cli.aws_looking:status", "Show all of an instance, and its runs."),
    "wait": ("runctl.cli.aws_looking:wait", "Wait until instances run, answer, or are ended."),
    "start": ("runctl.cli.aws_power:start", "Start stopped instances."),
    "stop": ("runctl.cli.aws_power:stop", "Stop instances; their disks stay."),
    "ebs": ("runctl.cli.aws_ebs:ebs", "Keep data on volumes that outlive instances."),
    "terminate": ("runctl.cli.aws_terminate:terminate", "End instances, for good."),
}
ALIASES = {
    "new": "create",
    "spawn": "create",
    "run": "train",
    "watch": "monitor",
    "logs": "monitor",
}

aws = LazyGroup(
    "aws",
    COMMANDS,
    ALIASES,
    help="""Rent instances of EC2, train on them, end them.

An instance is yours if it bears your owner tag; no other is changed unless you say --not-mine.
""",
)
