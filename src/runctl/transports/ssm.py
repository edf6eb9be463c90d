"""An instance of EC2 over Systems Manager: no key, no open port, no public address."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runctl.aws.account import Account
from runctl.aws.commands import run_script, unreachable
from runctl.aws.depot import Depot, Transit
from runctl.errors import IntegrityError, TransportError, UsageError
from runctl.model.access import Forward
from runctl.transports import file_copy, ssm_plugin
from runctl.transports.api import Completed
from runctl.transports.remote_command import RemoteCommand, quoted, shell_text

MOST_INLINE_BYTES = 16_000
"""Of arguments; longer ones pass through the store."""


@dataclass(frozen=True)
class SsmTransport:
    """Commands run as the login user of the image; bytes pass through the depot."""

    account: Account
    instance_id: str
    depot: Depot
    name = "ssm"
    is_live = False  # what goes in is stored before it begins, what comes out when it has ended

    @property
    def way(self) -> str:
        return "over Systems Manager"

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        stdout = io.BytesIO()
        status, stderr = self.stream(argv, io.BytesIO(stdin) if stdin else None, stdout)
        return Completed(status, stdout.getvalue(), stderr)

    def attach(self, argv: Sequence[str]) -> int:
        """Run a command without input; what it prints is shown at its end."""
        done = self.exec(argv)
        for stream, data in ((sys.stdout, done.stdout), (sys.stderr, done.stderr)):
            stream.buffer.write(data)
            stream.flush()
        return done.status

    def shell(self) -> int:
        """Open a shell of the account's settings for sessions; return its status."""
        return ssm_plugin.open_shell(self.account, self.instance_id)

    def forward(self, forwards: Sequence[Forward], argv: Sequence[str] = ()) -> int:
        """Keep ports open until they are interrupted; there is no command beside them."""
        if argv:
            raise UsageError(
                "over Systems Manager, a port and a command do not go together",
                hint="type the command in another terminal, or use --transport ssh",
            )
        return ssm_plugin.hold_ports(self.account, self.instance_id, forwards)

    def put(self, source: Path, target: str) -> None:
        file_copy.put(self, source, target)

    def get(self, source: str, target: Path) -> None:
        file_copy.get(self, source, target)

    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        """Run a command; return its status, negative for a signal, and its standard error."""
        command = RemoteCommand(argv)
        with self.depot.transit() as transit:
            script = _script(command, transit, stdin)
            told = run_script(self.account, self.instance_id, script)
            stderr = self._receive(told, transit, stdout)
        ended = command.read_end(stderr, self.instance_id)
        if ended is None:
            words = stderr.decode(errors="replace").strip()
            raise unreachable(self.account, self.instance_id, f"did not run {argv[0]}: {words}")
        return ended

    def _receive(self, told: str, transit: Transit, stdout: BinaryIO) -> bytes:
        """Write what the command printed; return its standard error."""
        line, _, rest = told.partition("\n")
        if not line.startswith("ended "):
            words = rest.strip() or "it said nothing"
            raise TransportError(
                f"{self.instance_id}: {words}", hint="aws ssm describe-instance-information"
            )
        _, size, digest, way = line.split()
        with tempfile.TemporaryFile() as both:
            if way == "store":
                transit.fetch("output", both)
            else:
                transit.spare("output")
                both.write(b64decode(rest))
            return self._split(both, int(size), digest, stdout)

    def _split(self, both: io.BufferedRandom, size: int, digest: str, stdout: BinaryIO) -> bytes:
        both.seek(0)
        if hashlib.file_digest(both, "sha256").hexdigest() != digest:
            raise IntegrityError(
                f"other bytes arrived from {self.instance_id} than were sent",
                hint="type the same again",
            )
        both.seek(size)
        stderr = both.read()
        both.seek(0)
        both.truncate(size)
        shutil.copyfileobj(both, stdout, 1 << 20)
        return stderr


def _script(command: RemoteCommand, transit: Transit, stdin: BinaryIO | None) -> str:
    arguments = b"set -- " + quoted(command.words) + b"\n"
    is_inline = len(arguments) <= MOST_INLINE_BYTES
    values = {
        "arguments": arguments if is_inline else b"",
        "arguments_url": b""
        if is_inline
        else transit.put("arguments", io.BytesIO(arguments)).encode(),
        "input_url": b"" if stdin is None else transit.put("input", stdin).encode(),
        "output_url": transit.expect("output").encode(),
    }
    lines = [f"{name}='{b64encode(value).decode()}'" for name, value in values.items()]
    return "\n".join(["#!/bin/sh", *lines, shell_text("ssm.sh")])
