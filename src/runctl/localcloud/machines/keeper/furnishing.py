"""The files that make an instance itself: accounts, names, keys, tools over the host's."""

from __future__ import annotations

import os
import stat

from runctl.localcloud.machines.keeper import (
    accounts,
    docker_tool,
    mount_tool,
    power_tools,
    user_tools,
)
from runctl.localcloud.machines.keeper.accounts import LOGIN_UID
from runctl.localcloud.machines.keeper.manner import POWER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.plan import Plan

SSHD_CONFIG = "/etc/ssh/sshd_config"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
_MASKED_UNITS = ("console-getty.service", "getty.target", "systemd-tmpfiles-setup-dev.service")
_PYTHONS = ("python", "pypy", "pip", "idle", "pydoc")


class Furnishing:
    """Writes into the layers that lie over the host's folders, before they are mounted."""

    def __init__(
        self,
        plan: Plan,
        root: str,
        layer: Callable[[str], str],
        *,
        has_users: bool,
        path: str = accounts.PATH,
    ) -> None:
        self._plan = plan
        self._root = root
        self._layer = layer
        self._has_users = has_users
        self._values = {"PATH": path, **plan["environment"]}

    def furnish(self, host_keys: str) -> None:
        """Do it all, at the first boot."""
        self.furnish_names(host_keys)
        self._put_tools()

    def furnish_names(self, host_keys: str) -> None:
        """Write all but what is laid over the host's programs."""
        self._write_accounts()
        self._write_names()
        self._write_environment()
        self._write_ssh(host_keys)
        self._write_sudo()
        self._write_authorized_keys()

    def _put_tools(self) -> None:
        if self._plan["init"] == "systemd":
            self._clear_units()
        else:
            self._put_power_tools()
            self._put_docker()
        if self._plan["users"] == "single":
            self._put_user_tools()
        elif self._plan["users"] == "subordinate":
            self._copy_setuid_tools()
        if self._plan["users"] is not None and self._plan["has_volumes"]:
            self._copy("/usr/bin/mount", 0o755, mount_tool.REAL)
            self._write("/usr/bin/mount", mount_tool.SCRIPT, 0o755)
        if not self._plan["has_python"]:
            self._hide_pythons()

    def _write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file at its place in the instance, whatever the host has there."""
        place = self._layer(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(place, mode)

    def _hide(self, path: str) -> None:
        """Let a file of the host not be there."""
        if os.path.lexists(path) and not os.path.lexists(self._layer(path)):
            os.makedirs(os.path.dirname(self._layer(path)), exist_ok=True)
            os.mknod(self._layer(path), stat.S_IFCHR, 0)

    def _write_accounts(self) -> None:
        login = self._plan["login"]
        users = accounts.passwd(_read("/etc/passwd"), login)
        groups = accounts.group(_read("/etc/group"), login, has_users=self._has_users)
        self._write("/etc/passwd", users)
        self._write("/etc/group", groups)
        self._write("/etc/shadow", accounts.shadow(users), 0o640)
        self._write("/etc/gshadow", accounts.gshadow(groups), 0o640)
        for name in ("passwd-", "group-", "shadow-", "gshadow-"):
            self._hide(f"/etc/{name}")

    def _write_names(self) -> None:
        name, address = self._plan["hostname"], self._plan["address"]
        short = name.partition(".")[0]
        both = name if name == short else f"{name} {short}"
        self._write("/etc/hostname", f"{name}\n")
        self._write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{address} {both}\n")
        self._write("/etc/resolv.conf", "# nothing is resolved but /etc/hosts\n")
        self._write("/etc/fstab", "")
        self._write(
            "/etc/machine-id", self._plan["instance_id"].encode().hex()[-32:].zfill(32) + "\n"
        )
        self._write("/etc/ssh/ssh_known_hosts", "")
        self._write("/var/lib/cloud/data/instance-id", f"{self._plan['instance_id']}\n")

    def _write_environment(self) -> None:
        lines = "".join(f'{name}="{value}"\n' for name, value in self._values.items())
        self._write("/etc/environment", lines)
        units = "".join(f'"{name}={value}" ' for name, value in self._values.items())
        text = f"[Manager]\nDefaultEnvironment={units.replace('%', '%%')}\n"
        self._write("/etc/systemd/system.conf.d/50-local-cloud.conf", text)

    def _write_ssh(self, host_keys: str) -> None:
        environment = " ".join(f'"{name}={value}"' for name, value in self._values.items())
        lines = [
            f"HostKey {HOST_KEY}",
            "UsePAM no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            f"StrictModes {'yes' if self._has_users else 'no'}",
            "UseDNS no",
            "PidFile none",
            "PrintMotd no",
            "PrintLastLog no",
            "AcceptEnv LANG LC_*",
            f"SetEnv {environment}",
            "Subsystem sftp internal-sftp",
        ]
        self._write(SSHD_CONFIG, "\n".join([*lines, ""]))
        for name in os.listdir("/etc/ssh") if os.path.isdir("/etc/ssh") else ():
            if name.startswith("ssh_host_"):
                self._hide(f"/etc/ssh/{name}")
        for name in os.listdir(host_keys) if os.path.isdir(host_keys) else ():
            self._place_key(f"{host_keys}/{name}", f"/etc/ssh/{name}")

    def _place_key(self, source: str, path: str) -> None:
        if os.path.lexists(self._layer(path)):
            os.unlink(self._layer(path))
        self._write(path, _read(source), 0o644 if path.endswith(".pub") else 0o600)

    def _write_sudo(self) -> None:
        kept = " ".join(self._plan["environment"])
        lines = [
            "Defaults env_reset, !fqdn",
            f'Defaults secure_path="{accounts.PATH}"',
            *([f'Defaults env_keep += "{kept}"'] if kept else []),
            "root ALL=(ALL:ALL) ALL",
            f"{self._plan['login']} ALL=(ALL:ALL) NOPASSWD:ALL",
        ]
        if self._plan["users"] in (None, "all"):
            lines.append("@includedir /etc/sudoers.d")  # the host's: nobody's, with a range of ids
        self._write("/etc/sudo.conf", "")
        self._write("/etc/sudoers", "\n".join([*lines, ""]), 0o440)

    def _write_authorized_keys(self) -> None:
        home = f"{self._root}/home/{self._plan['login']}/.ssh/authorized_keys"
        with open(home, "w", encoding="utf-8") as file:
            file.write("".join(f"{key}\n" for key in self._plan["authorized_keys"]))
        os.chmod(home, 0o600)
        if self._has_users:
            os.chown(home, LOGIN_UID, LOGIN_UID)

    def _put_power_tools(self) -> None:
        for name, text in power_tools.scripts(f"/{POWER}").items():
            self._write(f"/usr/sbin/{name}", text, 0o755)

    def _put_docker(self) -> None:
        if os.path.exists(docker_tool.DAEMON):
            self._write(docker_tool.PATH, docker_tool.SCRIPT, 0o755)

    def _put_user_tools(self) -> None:
        for path, text in user_tools.scripts(self._plan["login"], LOGIN_UID).items():
            self._write(path, text, 0o755)

    def _copy_setuid_tools(self) -> None:
        """Own what must belong to root: the host's root is nobody in this user namespace."""
        for path in filter(os.path.isfile, ("/usr/bin/sudo", "/usr/bin/su")):
            self._copy(path, 0o4755)
        for folder in filter(os.path.isdir, ("/usr/libexec/sudo", "/usr/lib/sudo")):
            for name in os.listdir(folder):
                if os.path.isfile(f"{folder}/{name}") and not os.path.islink(f"{folder}/{name}"):
                    self._copy(f"{folder}/{name}", 0o644)

    def _copy(self, path: str, mode: int, target: str | None = None) -> None:
        place = self._layer(target or path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(path, "rb") as reading, open(place, "wb") as writing:
            writing.write(reading.read())
        os.chmod(place, mode)

    def _clear_units(self) -> None:
        """Let none of the host's own services be started here, nor any terminal be waited on."""
        units = "/etc/systemd/system"
        for name in os.listdir(units) if os.path.isdir(units) else ():
            self._hide(f"{units}/{name}")
        for name in _MASKED_UNITS:
            place = self._layer(f"{units}/{name}")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink("/dev/null", place)

    def _hide_pythons(self) -> None:
        for folder in ("/usr/bin", "/usr/local/bin", "/usr/local/sbin"):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                if name.startswith(_PYTHONS):
                    self._hide(f"{folder}/{name}")


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
