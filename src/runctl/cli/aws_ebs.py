"""``runctl aws ebs``: volumes that outlive instances."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "create": ("runctl.cli.ebs_changes:create", "Make a volume."),
    "list": ("runctl.cli.ebs_looking:list_", "List your volumes, with what they cost."),
    "show": ("runctl.cli.ebs_looking:show", "Show a volume."),
    "attach": ("runctl.cli.ebs_changes:attach", "Attach a volume to an instance."),
    "detach": ("runctl.cli.ebs_changes:detach", "Detach a volume from its instance."),
    "resize": ("runctl.cli.ebs_changes:resize", "Make a volume larger."),
    "snapshot": ("runctl.cli.ebs_snapshots:snapshot", "Keep what a volume holds now."),
    "snapshot-list": ("runctl.cli.ebs_snapshots:snapshot_list", "List your snapshots."),
    "snapshot-delete": ("runctl.cli.ebs_snapshots:snapshot_delete", "Delete a snapshot."),
    "restore": ("runctl.cli.ebs_snapshots:restore", "Make a volume of a snapshot."),
    "delete": ("runctl.cli.ebs_changes:delete", "Delete a volume, with all that is on it."),
}

ebs = LazyGroup(
    "ebs",
    COMMANDS,
    help="""Keep data on volumes of EBS, which outlive instances.

VOLUME is an id, or the name of one of yours: no other is ever changed.
""",
)
