"""``runctl workflow``: the whole way in one command."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "train": ("runctl.cli.train:train", "Rent, train, bring the work home, end: runctl train."),
}

workflow = LazyGroup(
    "workflow",
    COMMANDS,
    help="""Go the whole way in one command: rent an instance, train, keep the work, end it.

runctl workflow train is runctl train under the name that some know it by.
""",
)
