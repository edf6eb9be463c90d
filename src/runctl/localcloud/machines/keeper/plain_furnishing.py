"""The files of an instance that has no root of its own: homes, keys, tools found first."""

from __future__ import annotations

import os

from runctl.localcloud.machines.keeper import power_tools, user_tools
from runctl.localcloud.machines.keeper.accounts import LOGIN_UID
from runctl.localcloud.machines.keeper.furnishing import HOST_KEY, SSHD_CONFIG
from runctl.localcloud.machines.keeper.manner import POWER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.manner import Manner
    from runctl.localcloud.machines.plan import Plan

TOOLS = "/var/lib/local-cloud/bin"
"""First on the PATH."""
_SFTP = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)
_LOGIN = """#!/bin/sh
# What sshd runs for whoever logs in.
@exports@
cd "$HOME" || exit 1
if [ -n "${SSH_ORIGINAL_COMMAND:-}" ]; then exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"; fi
exec "$SHELL" -l
"""


def furnish(plan: Plan, root: str, host_keys: str, manner: Manner) -> None:
    """Write them, at the first boot."""
    put_tools(plan, root, os.path.join(root, POWER), root)
    _write(f"{root}/var/lib/cloud/data/instance-id", f"{plan['instance_id']}\n", 0o644)
    keys = "".join(f"{key}\n" for key in plan["authorized_keys"])
    _write(f"{root}/home/{plan['login']}/.ssh/authorized_keys", keys, 0o600)
    for name in os.listdir(host_keys) if os.path.isdir(host_keys) else ():
        with open(f"{host_keys}/{name}", encoding="ascii") as file:
            _write(f"{root}/etc/ssh/{name}", file.read(), 0o600)
    values = {**manner.become(plan["login"]), **plan["environment"]}
    exports = "\n".join(f"export {name}={_quoted(value)}" for name, value in values.items())
    _write(f"{root}/etc/ssh/login", _LOGIN.replace("@exports@", exports), 0o755)
    _write(root + SSHD_CONFIG, _sshd_config(plan, root), 0o600)


def put_tools(plan: Plan, root: str, pipe: str, names_only: str | None) -> None:
    """Put the tools of power and users where they are found first.

    Where users are names only, ``names_only`` is what comes before the paths of their homes.
    """
    for name, text in power_tools.scripts(pipe).items():
        _write(f"{root}{TOOLS}/{name}", text, 0o755)
    for path, text in user_tools.scripts(plan["login"], LOGIN_UID, names_only).items():
        _write(f"{root}{TOOLS}/{os.path.basename(path)}", text, 0o755)


def _sshd_config(plan: Plan, root: str) -> str:
    sftp = [f"Subsystem sftp {one}" for one in filter(os.path.exists, _SFTP)][:1]
    lines = [
        f"HostKey {root}{HOST_KEY}",
        f"AuthorizedKeysFile {root}/home/{plan['login']}/.ssh/authorized_keys",
        f"ForceCommand {root}/etc/ssh/login",
        "UsePAM no",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "StrictModes no",
        "UseDNS no",
        "PidFile none",
        "PrintMotd no",
        "PrintLastLog no",
        *sftp,
    ]
    return "\n".join([*lines, ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _write(path: str, text: str, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
