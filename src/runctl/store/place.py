"""From where a ledger is to how its objects are reached."""

from __future__ import annotations

import os
from pathlib import Path

from runctl.errors import ConfigError
from runctl.store.folder import FolderObjects
from runctl.store.objects import Objects


def open_objects(place: str, *, must_exist: bool = False) -> Objects:
    """Open the store at an absolute folder; other kinds of place are refused by name.

    ``must_exist``: who opens it did not begin it, and must not begin another in its place.
    """
    if "://" in place:
        raise ConfigError(
            f"a ledger at {place} is not supported by this version; a folder is",
            hint="runctl config set store.root /path/to/folder",
        )
    if not must_exist and os.path.exists(place) and not os.path.isdir(place):
        raise ConfigError(
            f"a ledger cannot be at {place}: it is not a folder",
            hint="runctl config set store.root /path/to/folder",
        )
    return FolderObjects(Path(place), must_exist=must_exist)
