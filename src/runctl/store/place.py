"""From where a ledger is to how its objects are reached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import ConfigError
from runctl.store.folder import FolderObjects
from runctl.store.objects import Objects

if TYPE_CHECKING:
    from runctl.store.s3 import BucketAccess

_HINT = "runctl config set store.root /path/to/folder"


def is_bucket(place: str) -> bool:
    """Tell whether a place is one in S3, which needs a region and credentials."""
    return place.startswith("s3://")


def open_objects(
    place: str, access: BucketAccess | None = None, *, must_exist: bool = False
) -> Objects:
    """Open the store at an absolute folder or ``s3://bucket/prefix``; others are refused by name.

    ``must_exist``: who opens a folder did not begin it, and must not begin another in its place.
    """
    if is_bucket(place):
        return _open_bucket(place, access)
    if "://" in place:
        raise ConfigError(
            f"a ledger at {place} is not supported by this version; a folder and s3:// are",
            hint=_HINT,
        )
    if not must_exist and os.path.exists(place) and not os.path.isdir(place):
        raise ConfigError(f"a ledger cannot be at {place}: it is not a folder", hint=_HINT)
    return FolderObjects(Path(place), must_exist=must_exist)


def _open_bucket(place: str, access: BucketAccess | None) -> Objects:
    from runctl.store.s3 import open_bucket  # noqa: PLC0415 - a folder needs no client of S3

    if access is None:
        raise ConfigError(
            f"nothing says how {place} is reached",
            hint="runctl config set --user aws.region us-east-1",
        )
    return open_bucket(place, access)
