"""Remove a folder, some of whose files belong to users that only a user namespace has."""

from __future__ import annotations

import os
import sys

from runctl.localcloud.machines.keeper.spaces import Spaces


def remove(path: str, users: str) -> int:
    """Remove all of it; say on standard error what cannot be."""
    try:
        spaces = Spaces()
        spaces.make(users=users, has_network=False)
        spaces.enter()
        _remove_tree(path)
    except OSError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


def _remove_tree(path: str) -> None:
    with os.scandir(path) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                _remove_tree(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(path)
