"""What somebody sits before: ssh with the caller's own streams, and nothing in between."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence

from runctl.errors import TransportError
from runctl.transports.ssh_errors import failure
from runctl.transports.ssh_target import SshTarget

_OWN_FAULT = 255


def has_terminal() -> bool:
    """Tell whether what is typed comes from a terminal, and what is printed goes to one."""
    return os.isatty(0) and os.isatty(1)


def visit(target: SshTarget, line: bytes | None = None) -> int:
    """Run a line of shell, or a login shell, on a terminal there; return its status."""
    return _run(target, [*target.argv(is_attended=True), *([] if line is None else [line])])


def hold(target: SshTarget) -> int:
    """Keep the forwarded ports open until ssh ends or is interrupted."""
    return _run(target, ["ssh", "-N", *target.argv()[1:]], stdin=subprocess.DEVNULL)


def _run(target: SshTarget, argv: Sequence[str | bytes], stdin: int | None = None) -> int:
    with tempfile.TemporaryFile() as said:  # by ssh itself: a terminal has but one stream
        try:
            status = subprocess.run(argv, stdin=stdin, stderr=said, check=False).returncode
        except OSError as error:
            raise TransportError(
                f"{target.host} cannot be reached: ssh: {error.strerror}"
            ) from error
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if status < 0 or (status == _OWN_FAULT and words):
        told = words or f"ssh was ended by signal {-status}"
        raise failure(target.host, str(target.known_hosts), told)
    return status
