"""``runctl cloud``: an AWS on this machine, to rehearse against."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "start": ("runctl.cli.cloud_process:start", "Start the local cloud."),
    "stop": ("runctl.cli.cloud_process:stop", "End its process, or remove all of it."),
    "status": ("runctl.cli.cloud_looking:status", "Show how it stands."),
    "reset": ("runctl.cli.cloud_process:reset", "Take it back to an empty cloud."),
    "env": ("runctl.cli.cloud_looking:env", "Print what leads programs to it."),
    "events": ("runctl.cli.cloud_looking:events", "Print what happened in it."),
    "interrupt": ("runctl.cli.cloud_faults:interrupt", "Interrupt a spot instance."),
    "fault": ("runctl.cli.cloud_faults:fault", "Break something on purpose."),
    "quota": ("runctl.cli.cloud_faults:quota", "Set a quota of virtual processors."),
}

cloud = LazyGroup(
    "cloud",
    COMMANDS,
    help="""Start and control a local cloud: an AWS on this machine, whose instances really run.

\b
runctl cloud start --detach
eval "$(runctl cloud env)"

From then on the AWS command line, boto3 and runctl itself speak with it, and nothing costs
anything. There may be several, each with a --name.
""",
)
