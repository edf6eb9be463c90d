"""``runctl s3``: data in buckets."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "upload": ("runctl.cli.s3_moving:upload", "Send a file or a folder."),
    "download": ("runctl.cli.s3_moving:download", "Fetch an object or a folder."),
    "sync": ("runctl.cli.s3_moving:sync", "Make a folder and a place in S3 equal."),
    "list": ("runctl.cli.s3_looking:list_", "List objects."),
    "du": ("runctl.cli.s3_looking:du", "Say how much there is."),
    "verify": ("runctl.cli.s3_looking:verify", "Read objects back, and check their digests."),
    "review": ("runctl.cli.s3_reviewing:review", "Sum up what there is."),
    "watch": ("runctl.cli.s3_reviewing:watch", "Print what is written and deleted."),
    "cleanup": ("runctl.cli.s3_reviewing:cleanup", "Give up unfinished uploads."),
    "cp": ("runctl.cli.s3_changing:cp", "Copy objects inside S3."),
    "rm": ("runctl.cli.s3_changing:rm", "Delete objects."),
}

s3 = LazyGroup(
    "s3",
    COMMANDS,
    {"ls": "list"},
    help="""Move, list and verify data in S3.

Places are s3://bucket/path. Every byte is checked on its way; a file bears its name once it is
whole, and what was cut is gone on with when the same is typed again.
""",
)
