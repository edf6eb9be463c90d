"""The folders of an instance's root, and which of the host's are seen through it."""

from __future__ import annotations

import os

from runctl.localcloud.machines.keeper.accounts import LOGIN_UID

_FOLDERS = (
    "boot", "dev", "etc", "home", "media", "mnt", "proc", "run", "srv", "sys", "usr",
    "var/cache", "var/lib", "var/log", "var/mail", "var/spool", "var/opt",
)  # fmt: skip
_LINKS = {"var/run": "/run", "var/lock": "/run/lock"}
_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_TREES = ("/usr", "/etc", "/opt", "/var/lib/dpkg", "/var/lib/apt")


def lay(root: str, login: str, *, has_users: bool) -> None:
    """Make the folders; those that are there stay as they are."""
    for name in _FOLDERS:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name, mode in {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}.items():
        os.makedirs(f"{root}/{name}", exist_ok=True)
        os.chmod(f"{root}/{name}", mode)
    for name, target in {**_LINKS, **_program_links()}.items():
        if not os.path.lexists(f"{root}/{name}"):
            os.symlink(target, f"{root}/{name}")
    _lay_home(f"{root}/home/{login}", has_users=has_users)


def trees(*, has_opt: bool) -> list[str]:
    """Return the folders of the host that an instance sees, and may change for itself."""
    programs = [f"/{name}" for name in _PROGRAMS if _is_folder(f"/{name}")]
    chosen = [tree for tree in _TREES if has_opt or tree != "/opt"]
    return [*filter(_is_folder, chosen), *programs]


def empty(folder: str) -> None:
    """Remove all that is in a folder."""
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(place, name))
        for name in folders:
            path = os.path.join(place, name)
            (os.unlink if os.path.islink(path) else os.rmdir)(path)


def _lay_home(home: str, *, has_users: bool) -> None:
    if os.path.isdir(home):
        return
    os.makedirs(f"{home}/.ssh")
    os.chmod(home, 0o700)
    os.chmod(f"{home}/.ssh", 0o700)
    if has_users:
        os.chown(home, LOGIN_UID, LOGIN_UID)
        os.chown(f"{home}/.ssh", LOGIN_UID, LOGIN_UID)


def _program_links() -> dict[str, str]:
    return {name: os.readlink(f"/{name}") for name in _PROGRAMS if os.path.islink(f"/{name}")}


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
