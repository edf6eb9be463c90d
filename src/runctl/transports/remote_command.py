"""A command for another machine: its words, and how it went there, told exactly."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from runctl.errors import TransportError


def quoted(argv: Sequence[str]) -> bytes:
    """Return words for a POSIX shell, each in quotes of its own; any bytes but NUL arrive."""
    if any("\0" in word for word in argv):
        raise TransportError(f"an argument of {argv[0]} holds a NUL byte, which no command takes")
    return os.fsencode(shlex.join(argv))


@cache
def shell_text(name: str) -> str:
    """Return one of the shell scripts that lie beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="ascii")


@dataclass(frozen=True)
class RemoteCommand:
    """A command in the wrapper ``command.sh``, which tells 128+n from the signal n."""

    argv: Sequence[str]
    mark: str = field(default_factory=lambda: f"runctl-{secrets.token_hex(8)}")

    @property
    def words(self) -> list[str]:
        return ["sh", "-c", shell_text("command.sh"), self.mark, *self.argv]

    def read_end(self, stderr: bytes, where: str) -> tuple[int, bytes] | None:
        """Return the status, negative for a signal, and the command's own standard error.

        None if the wrapper did not come to its end; TransportError if there is no such command.
        """
        before, mark, after = stderr.rpartition(f"\n{self.mark} ".encode())
        if not mark or b"\n" not in after:
            return None
        line, _, later = after.partition(b"\n")
        kind, status = line.decode("ascii").split()
        if kind == "absent":
            raise TransportError(
                f"{self.argv[0]} cannot be run on {where}: there is no such command"
            )
        number = int(status)
        return (128 - number if kind == "signal" else number), before + later
