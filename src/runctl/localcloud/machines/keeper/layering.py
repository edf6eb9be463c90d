"""Folders of the host, seen through a layer of the instance's own that takes what it changes."""

from __future__ import annotations

import os
import stat

from runctl.localcloud.machines.keeper import kernel

_COPIED = {"/etc"}
"""Small enough to be copied where the kernel lays nothing over it."""


class Layers:
    """Lies in ``layers`` of the disk. To be used with the disk as the working directory."""

    def __init__(self, disk: str, root: str, *, is_owner: bool) -> None:
        self._disk = disk
        self._root = root
        self._is_owner = is_owner

    def show(self, tree: str) -> None:
        """Show one folder of the host; raise ``OSError``."""
        for name in ("upper", "work"):
            os.makedirs(f"layers{tree}/{name}", exist_ok=True)
        os.makedirs(self._root + tree, exist_ok=True)
        try:
            # Relative to the disk, so that what its path may contain is not read as an option.
            options = f"lowerdir={tree},upperdir=layers{tree}/upper,workdir=layers{tree}/work"
            options += ",userxattr" if self._is_owner else ""
            kernel.mount("overlay", self._root + tree, "overlay", 0, options)
        except OSError:
            # In a user namespace nothing is laid over a folder in which something is mounted.
            if not self._is_owner:
                raise
            self._show_otherwise(tree)

    def _show_otherwise(self, tree: str) -> None:
        upper = f"{self._disk}/layers{tree}/upper"
        if tree in _COPIED:
            if not os.path.exists(f"{upper}/../copied"):
                copy_beneath(tree, upper)
                os.close(os.open(f"{upper}/../copied", os.O_CREAT | os.O_WRONLY, 0o644))
            kernel.bind(upper, self._root + tree)
            return
        kernel.bind(tree, self._root + tree, is_deep=True)
        for place, _, names in os.walk(upper):
            inside = self._root + tree + place[len(upper) :]
            for name in filter(lambda one: os.path.isfile(f"{inside}/{one}"), names):
                if os.path.isfile(f"{place}/{name}"):
                    kernel.bind(f"{place}/{name}", f"{inside}/{name}")


def copy_beneath(source: str, target: str) -> None:
    """Copy what may be read, leaving what the target has already, and what it hides."""
    for place, folders, names in os.walk(source):
        there = target + place[len(source) :]
        os.makedirs(there, exist_ok=True)
        links = [name for name in folders if os.path.islink(f"{place}/{name}")]
        for name in [*names, *links]:
            _copy(f"{place}/{name}", f"{there}/{name}")


def _copy(source: str, target: str) -> None:
    if os.path.lexists(target):
        if stat.S_ISCHR(os.lstat(target).st_mode):
            os.unlink(target)  # what hides in an overlay would be seen without one
        return
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isfile(source) and os.access(source, os.R_OK):
        with open(source, "rb") as reading, open(target, "wb") as writing:
            while chunk := reading.read(1 << 20):
                writing.write(chunk)
        os.chmod(target, os.stat(source).st_mode & 0o755)
