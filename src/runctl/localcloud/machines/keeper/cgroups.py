"""The cgroup of an instance, where the host has cgroups that may be written to."""

from __future__ import annotations

import os
import time

_ROOT = "/sys/fs/cgroup"
_V2 = (_ROOT, f"{_ROOT}/unified")
_PATIENCE_S = 2.0
_V1 = ("freezer", "memory", "pids")


class Cgroup:
    """A folder in each hierarchy that is there; in none, where none may be written to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.folders: dict[str, str] = {}

    def make(self, memory_bytes: int | None) -> None:
        """Make the folders, and set the limit."""
        for kind, root in hierarchies().items():
            folder = os.path.join(root, self._name)
            try:
                os.makedirs(folder, exist_ok=True)
            except OSError:
                continue
            self.folders[kind] = folder
        self._limit(memory_bytes)

    def found(self) -> set[str]:
        """Return the kinds of which it has been made."""
        roots = hierarchies().items()
        return {kind for kind, root in roots if os.path.isdir(os.path.join(root, self._name))}

    def join(self) -> None:
        """Put the calling process in."""
        for kind, folder in self.folders.items():
            _write(os.path.join(folder, "cgroup.procs"), "0" if kind == "v2" else str(os.getpid()))

    def freeze(self, *, is_frozen: bool) -> bool:
        """Stop or go on, all at once; return whether there is a freezer."""
        if "freezer" in self.folders:
            state = "FROZEN" if is_frozen else "THAWED"
            path = os.path.join(self.folders["freezer"], "freezer.state")
            _write(path, state)
            _await(path, state)
        elif "v2" in self.folders:
            _write(os.path.join(self.folders["v2"], "cgroup.freeze"), str(int(is_frozen)))
            _await(os.path.join(self.folders["v2"], "cgroup.events"), f"frozen {int(is_frozen)}")
        else:
            return False
        return True

    def remove(self) -> None:
        """Remove the folders; nothing runs in them any more."""
        for folder in self.folders.values():
            remove_tree(folder)

    def _limit(self, memory_bytes: int | None) -> None:
        if memory_bytes is None:
            return
        if "memory" in self.folders:
            _write(os.path.join(self.folders["memory"], "memory.limit_in_bytes"), str(memory_bytes))
        elif "v2" in self.folders:
            _write(os.path.join(self.folders["v2"], "memory.max"), str(memory_bytes))


def hierarchies() -> dict[str, str]:
    """Return where instances' cgroups begin, by ``v2`` or the name of the v1 controller."""
    found = {kind: f"{_ROOT}/{kind}" for kind in _V1}
    found = {kind: one for kind, one in found.items() if os.path.exists(f"{one}/cgroup.procs")}
    for folder in _V2:
        if os.path.exists(f"{folder}/cgroup.controllers"):
            return {"v2": folder, **found}
    return found


def remove_tree(folder: str) -> None:
    """Remove a cgroup and those in it; what is still in use stays."""
    for place, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(place)
        except OSError:
            pass  # the purge says what is left


def _await(path: str, words: str) -> None:
    """Wait until all have stopped, or one will not."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with open(path, encoding="ascii") as file:
            if words in file.read():
                return
        time.sleep(0.001)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except FileNotFoundError:
        pass  # v2 without the controller
