"""A machine over SSH: the OpenSSH client, one shared connection, host keys pinned beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO

from runctl.errors import TransportError
from runctl.model.access import Forward
from runctl.transports import file_copy
from runctl.transports.api import Completed
from runctl.transports.remote_command import RemoteCommand, quoted
from runctl.transports.ssh_errors import failure
from runctl.transports.ssh_target import SshTarget
from runctl.transports.ssh_visit import has_terminal, hold, visit

_SHELL = ("sh", "-c", 'exec "${SHELL:-/bin/sh}"')
# Not by exec: of a command that a signal ends, sshd tells nothing that ssh would pass on.
_ON_TERMINAL = '"$0" "$@"; exit "$?"'


@dataclass(frozen=True)
class SshTransport:
    target: SshTarget
    name = "ssh"
    is_live = True

    @property
    def way(self) -> str:
        return f"over SSH as {self.target.user}"

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as stdout:
            given.write(stdin)
            given.seek(0)
            status, stderr = self.stream(argv, given, stdout)
            stdout.seek(0)
            return Completed(status, stdout.read(), stderr)

    def attach(self, argv: Sequence[str]) -> int:
        """Run a command with the caller's own streams; on a terminal there if they are one here.

        There, the status of a command that a signal n ended is 128+n.
        """
        if has_terminal():
            return visit(self.target, quoted(["sh", "-c", _ON_TERMINAL, *argv]))
        command = RemoteCommand(argv)
        with self._start(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None  # noqa: S101 - it was asked for
            told = _pass_on(process.stderr, command)
            return self._ended(command, told, process.wait())[0]

    def shell(self) -> int:
        """Open a shell; without a terminal it reads what comes. Return its status."""
        return visit(self.target) if has_terminal() else self.attach(_SHELL)

    def forward(self, forwards: Sequence[Forward], argv: Sequence[str] = ()) -> int:
        """Keep ports open while a command runs, or without one until it is interrupted."""
        target = replace(self.target, forwards=tuple(forwards))
        return SshTransport(target).attach(argv) if argv else hold(target)

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
