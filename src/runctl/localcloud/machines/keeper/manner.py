"""How commands become a user of the instance, which depends on what it has been made of."""

from __future__ import annotations

import os

from runctl.localcloud.machines.keeper import accounts, kernel

POWER = "run/localcloud/power"
"""What ``shutdown`` and its like write to, from the instance's root."""
CONSOLE = "run/localcloud/console"
"""What ``/dev/console`` is, from the instance's root."""
MARK = "RUNCTL_LOCAL_CLOUD_MACHINE"
"""In the environment of all processes of an instance that has no namespace to go down with, with
the folder, so that a purge finds them."""
REAL, SINGLE, NONE = "real", "single", "none"


class Manner:
    """Users are ``real``, one in namespaces of its own (``single``), or names only (``none``)."""

    def __init__(self, users: str, root: str, path: str, environment: dict[str, str]) -> None:
        self._users = users
        self._root = root
        self._path = path
        self._environment = environment
        self.power = os.path.join(root, POWER)
        self.console = os.path.join(root, CONSOLE)

    @classmethod
    def of_namespace(cls, *, has_users: bool) -> Manner:
        """Return that of an instance whose root is its own."""
        return cls(REAL if has_users else SINGLE, "/", accounts.PATH, {})

    def become(self, name: str) -> dict[str, str]:
        """Become the user, with this process; return the environment that it has."""
        if self._users == NONE:
            home = "root" if name == "root" else f"home/{name}"
            home, shell = os.path.join(self._root, home), "/bin/bash"
        else:
            home, shell = self._become(name)
        own = {"HOME": home, "USER": name, "LOGNAME": name, "SHELL": shell, "PATH": self._path}
        return {**own, **self._environment}

    def _become(self, name: str) -> tuple[str, str]:
        with open("/etc/passwd", encoding="utf-8") as file:
            uid, gid, home, shell = accounts.find(file.read(), name)
        if uid and self._users == REAL:
            with open("/etc/group", encoding="utf-8") as file:
                os.setgroups(accounts.groups_of(file.read(), name, gid))
            os.setgid(gid)
            os.setuid(uid)
        elif uid:
            _map_alone(uid, gid)
        return home, shell


def _map_alone(uid: int, gid: int) -> None:
    """Be another user where the instance has a single one: in a user namespace of its own."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    kernel.unshare("user")
    for name, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{gid} {outer_gid} 1"),
        ("uid_map", f"{uid} {outer_uid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
