"""A machine over SSH: the OpenSSH client, one shared connection, host keys pinned beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from runctl.errors import TransportError
from runctl.transports import file_copy
from runctl.transports.api import Completed
from runctl.transports.remote_command import RemoteCommand, quoted
from runctl.transports.ssh_errors import failure

_LONGEST_CONTROL_FOLDER = 46
"""In characters: a socket's path has 104 on macOS, and ssh appends two names to the folder."""
# Whatever ~/.ssh/config says, only the pinned keys count. What stands first holds.
_OPTIONS = (
    "BatchMode=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null",
    "KnownHostsCommand=none", "NoHostAuthenticationForLocalhost=no", "CheckHostIP=no",
    "UpdateHostKeys=no", "VerifyHostKeyDNS=no", "ConnectTimeout=10", "ServerAliveInterval=5",
    "ServerAliveCountMax=3", "LogLevel=ERROR", "EscapeChar=none", "ForwardAgent=no",
    "RemoteCommand=none", "PermitLocalCommand=no", "ClearAllForwardings=yes",
)  # fmt: skip


@dataclass(frozen=True)
class SshTarget:
    """``known_hosts`` alone says which keys are the machine's; ``options`` are ssh's own.

    A port of None is the one that ``~/.ssh/config`` says, or 22.
    """

    host: str
    user: str
    known_hosts: Path
    port: int | None = None
    identity: Path | None = None
    control_folder: Path | None = None
    options: tuple[str, ...] = ()

    def argv(self) -> list[str]:
        """Return ssh's words up to the command."""
        files = [f'UserKnownHostsFile="{self.known_hosts}"', *self._sharing()]
        if self.identity is not None:
            files += [f'IdentityFile="{self.identity}"', "IdentitiesOnly=yes"]
        given = [word for option in (*_OPTIONS, *files, *self.options) for word in ("-o", option)]
        port = [] if self.port is None else ["-p", str(self.port)]
        return ["ssh", "-T", *given, *port, "-l", self.user, "--", self.host]

    def _sharing(self) -> list[str]:
        folder = self.control_folder
        if folder is None or len(str(folder)) > _LONGEST_CONTROL_FOLDER:
            return ["ControlMaster=no", "ControlPath=none"]
        return ["ControlMaster=auto", "ControlPersist=60s", f'ControlPath="{folder}/%C"']


@dataclass(frozen=True)
class SshTransport:
    target: SshTarget

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as stdout:
            given.write(stdin)
            given.seek(0)
            status, stderr = self.stream(argv, given, stdout)
            stdout.seek(0)
            return Completed(status, stdout.read(), stderr)

    def attach(self, argv: Sequence[str]) -> int:
        """Run a command with the caller's own streams, but without a terminal there."""
        command = RemoteCommand(argv)
        with self._start(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None  # noqa: S101 - it was asked for
            told = _pass_on(process.stderr, command)
            return self._ended(command, told, process.wait())[0]

    def put(self, source: Path, target: str) -> None:
        file_copy.put(self, source, target)

    def get(self, source: str, target: Path) -> None:
        file_copy.get(self, source, target)

    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        """Run a command between real files; return its status and its standard error."""
        command = RemoteCommand(argv)
        with tempfile.TemporaryFile() as stderr:  # a pipe might be held open by the connection
            given = subprocess.DEVNULL if stdin is None else stdin
            # A session of its own: a Ctrl-C at our terminal is not meant for it.
            with self._start(
                command, stdin=given, stdout=stdout, stderr=stderr, start_new_session=True
            ) as process:
                status = process.wait()
            stderr.seek(0)
            return self._ended(command, stderr.read(), status)

    def _start(self, command: RemoteCommand, **streams: Any) -> subprocess.Popen[bytes]:
        line = b"exec " + quoted(command.words)
        try:
            return subprocess.Popen([*self.target.argv(), line], **streams)
        except OSError as error:
            raise TransportError(
                f"{command.argv[0]} cannot be run on {self.target.host}: ssh: {error.strerror}"
            ) from error

    def _ended(self, command: RemoteCommand, stderr: bytes, status: int) -> tuple[int, bytes]:
        ended = command.read_end(stderr, self.target.host)
        if ended is None:
            words = stderr.decode(errors="replace").strip() or f"ssh ended with status {status}"
            raise failure(self.target.host, str(self.target.known_hosts), words)
        return ended


def _pass_on(source: IO[bytes], command: RemoteCommand) -> bytes:
    """Show standard error as it comes, up to the wrapper's last line; return all of it."""
    told, shown, mark = b"", 0, f"\n{command.mark} ".encode()
    while part := os.read(source.fileno(), 1 << 16):
        told += part
        end = told.rfind(b"\n", shown)
        is_mark = end >= 0 and (mark.startswith(told[end:]) or told[end:].startswith(mark))
        until = told.find(mark) if mark in told else end if is_mark else len(told)
        os.write(sys.stderr.fileno(), told[shown:until])
        shown = max(shown, until)
    return told
