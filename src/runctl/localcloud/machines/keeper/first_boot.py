"""What runs by itself inside: user data at the first boot, /etc/rc.local at the others."""

from __future__ import annotations

import binascii
import json
import os

from runctl.localcloud.machines.keeper import user_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.commands import Commands
    from runctl.localcloud.machines.keeper.console import Console
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.plan import Message, Plan

_BOOTS = "boots.json"
_LOG = "/var/log/cloud-init-output.log"
_SCRIPT = """
folder=@root@/var/lib/cloud/instance/scripts
mkdir -p "$folder" && base64 -d > "$folder/part-@number@" && chmod 700 "$folder/part-@number@"
{ "$folder/part-@number@" 2>&1; echo $? > "$folder/part-@number@.status"; } | tee -a @root@@log@
exit "$(cat "$folder/part-@number@.status")"
"""
_FILE = """
mkdir -p "$(dirname "$path")" && base64 -d > "$path" && chmod "$mode" "$path"
[ -z "$owner" ] || chown "$owner" "$path"
"""
_LOCAL = '[ ! -x @root@/etc/rc.local ] || exec "@root@/etc/rc.local"'


class FirstBoot:
    """Knows how often the instance has booted since it was made."""

    def __init__(self, folder: Folder, plan: Plan, root: str) -> None:
        self._folder = folder
        self._plan = plan
        self._root = root
        self.boots: int = (folder.read(_BOOTS) or {"boots": 0})["boots"]
        self._data = user_data.parse(plan["user_data"] if self.boots == 0 else None)

    @property
    def authorized_keys(self) -> list[str]:
        """Keys that user data lets in."""
        return [str(key) for key in self._data.config.get("ssh_authorized_keys", [])]

    def host_keys(self) -> dict[str, str]:
        """Return host keys that user data brings, by cloud-config's names."""
        keys = self._data.config.get("ssh_keys", {})
        return {str(name): str(value) for name, value in keys.items()}

    def begin(self, commands: Commands, console: Console) -> None:
        """Count a boot, and start what is due at it."""
        self.boots += 1
        self._folder.write({"boots": self.boots}, _BOOTS)
        if self.boots > 1:
            if self._plan["init"] != "systemd":
                self._start(commands, console, f"rc-local-{self.boots}", self._filled(_LOCAL), None)
            return
        for words in self._data.ignored:
            console.say(f"cloud-init: ignored {words}")
        self._run_next(self._steps(), commands, console)

    def _steps(self) -> list[tuple[str, str, str | None]]:
        """Return name, script and standard input of each thing that is done, in order."""
        config = self._data.config
        steps: list[tuple[str, str, str | None]] = []
        for number, command in enumerate(config.get("bootcmd", [])):
            steps.append((f"bootcmd-{number}", shell_line(command), None))
        for number, file in enumerate(config.get("write_files", [])):
            steps.append((f"write-file-{number}", *self._file(file)))
        for number, command in enumerate(config.get("runcmd", [])):
            steps.append((f"runcmd-{number}", shell_line(command), None))
        for number, script in enumerate(self._data.scripts, 1):
            text = self._filled(_SCRIPT).replace("@number@", f"{number:03}")
            steps.append((f"user-data-{number}", text, _encoded(script)))
        return steps

    def _run_next(
        self, steps: list[tuple[str, str, str | None]], commands: Commands, console: Console
    ) -> None:
        if not steps:
            if self._data.scripts or self._data.config:
                console.say("cloud-init: finished")
            return
        (name, script, stdin), *rest = steps
        self._start(
            commands, console, name, script, stdin, lambda: self._run_next(rest, commands, console)
        )

    def _start(
        self,
        commands: Commands,
        console: Console,
        name: str,
        script: str,
        stdin: str | None,
        then: Callable[[], None] | None = None,
    ) -> None:
        request: Message = {
            "id": name,
            "argv": ["/bin/sh", "-c", script],
            "user": "root",
            "cwd": "/",
            "environment": {},
            "stdin": stdin,
        }
        commands.start(request, console.write, then)

    def _filled(self, text: str) -> str:
        return text.replace("@root@", self._root).replace("@log@", _LOG)

    def _file(self, file: Message) -> tuple[str, str]:
        content, encoding = str(file.get("content", "")), str(file.get("encoding", ""))
        is_encoded = encoding in ("b64", "base64")
        raw = content if is_encoded else _encoded(content.encode())
        values = {
            "path": self._root + str(file["path"]),
            "mode": str(file.get("permissions", "0644")),
            "owner": str(file.get("owner", "")),
        }
        lines = [f"{name}={_quoted(value)}" for name, value in values.items()]
        return "\n".join([*lines, _FILE]), raw


def write_host_keys(keys: dict[str, str], folder: str) -> None:
    """Write keys that user data brings, by the names that sshd's have."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name, value in keys.items():
        kind, _, part = name.partition("_")
        ending = {"private": "", "public": ".pub"}.get(part)
        if ending is not None and kind.isalnum():
            path = os.path.join(folder, f"ssh_host_{kind}_key{ending}")
            with open(path, "w", encoding="ascii", opener=_private) as file:
                file.write(value.rstrip("\n") + "\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def shell_line(command: object) -> str:
    """Return a command of cloud-config, a string or a list of words, for a shell."""
    if isinstance(command, list):
        return " ".join(_quoted(str(word)) for word in command)
    return command if isinstance(command, str) else json.dumps(command)


def _encoded(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode()


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
