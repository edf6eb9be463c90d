"""How one machine is reached over SSH: ssh's words, and the same for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runctl.model.access import Forward

_LONGEST_CONTROL_FOLDER = 46
"""In characters: a socket's path has 104 on macOS, and ssh appends two names to the folder."""
# Whatever ~/.ssh/config says, only the pinned keys count. What stands first holds.
_PINNED = (
    "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "KnownHostsCommand=none",
    "NoHostAuthenticationForLocalhost=no", "CheckHostIP=no", "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
)  # fmt: skip
_OPTIONS = (
    "BatchMode=yes", *_PINNED, "ConnectTimeout=10", "ServerAliveInterval=5",
    "ServerAliveCountMax=3", "LogLevel=ERROR", "EscapeChar=none", "ForwardAgent=no",
    "RemoteCommand=none", "PermitLocalCommand=no", "ClearAllForwardings=yes",
)  # fmt: skip
# Whoever sits before it may type the passphrase of a key, and ~. where nothing answers any more.
_ATTENDED = (
    "BatchMode=no", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "EscapeChar=~",
)  # fmt: skip
# A shared connection would keep them open when their ssh has ended.
_FORWARDING = (
    "ClearAllForwardings=no", "ExitOnForwardFailure=yes", "ControlMaster=no", "ControlPath=none",
)  # fmt: skip


@dataclass(frozen=True)
class SshTarget:
    """``known_hosts`` alone says which keys are the machine's; ``options`` are ssh's own.

    A port of None is the one that ``~/.ssh/config`` says, or 22.
    ``forwards`` lead from ports of this machine's loopback to ports of the other's.
    """

    host: str
    user: str
    known_hosts: Path
    port: int | None = None
    identity: Path | None = None
    control_folder: Path | None = None
    options: tuple[str, ...] = ()
    forwards: tuple[Forward, ...] = ()

    def argv(self, *, is_attended: bool = False) -> list[str]:
        """Return ssh's words up to the command; ``is_attended``: there is a terminal at each end.

        The last two are ``--`` and the host.
        """
        first = (*(_FORWARDING if self.forwards else ()), *(_ATTENDED if is_attended else ()))
        files = [*self._files(), *self._sharing()]
        listed = (*first, *_OPTIONS, *files, *self.options)
        given = [word for option in listed for word in ("-o", option)]
        ways = [word for one in self.forwards for word in ("-L", _forward_words(one))]
        port = [] if self.port is None else ["-p", str(self.port)]
        terminal = "-t" if is_attended else "-T"
        return ["ssh", terminal, *given, *ways, *port, "-l", self.user, "--", self.host]

    def config(self) -> dict[str, str]:
        """Return the keywords of ssh_config that lead other programs here as we go."""
        place = {"HostName": self.host, "User": self.user}
        if self.port is not None:
            place["Port"] = str(self.port)
        listed = (*self._files(), *self.options, *_PINNED)
        return place | dict(one.split("=", 1) for one in listed)

    def _files(self) -> list[str]:
        files = [f'UserKnownHostsFile="{self.known_hosts}"']
        if self.identity is not None:
            files += [f'IdentityFile="{self.identity}"', "IdentitiesOnly=yes"]
        return files

    def _sharing(self) -> list[str]:
        folder = self.control_folder
        if folder is None or len(str(folder)) > _LONGEST_CONTROL_FOLDER:
            return ["ControlMaster=no", "ControlPath=none"]
        return ["ControlMaster=auto", "ControlPersist=60s", f'ControlPath="{folder}/%C"']


def _forward_words(one: Forward) -> str:
    return f"127.0.0.1:{one.local_port}:127.0.0.1:{one.remote_port}"
