"""This machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runctl.errors import TransportError
from runctl.transports.api import Completed


class LocalTransport:
    name = "local"

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        # A session of its own: a Ctrl-C at our terminal is not meant for it.
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, check=False, start_new_session=True
            )
        except OSError as error:
            raise TransportError(f"{argv[0]} cannot be run here: {error.strerror}") from error
        return Completed(done.returncode, done.stdout, done.stderr)

    def attach(self, argv: Sequence[str]) -> int:
        try:
            return subprocess.run(argv, check=False).returncode
        except OSError as error:
            raise TransportError(f"{argv[0]} cannot be run here: {error.strerror}") from error

    def put(self, source: Path, target: str) -> None:
        _copy(source, Path(target))

    def get(self, source: str, target: Path) -> None:
        _copy(Path(source), target)


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, temporary)
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):  # not there, or not even its folder
            temporary.unlink()
        raise TransportError(f"{source} cannot be copied to {target}: {error.strerror}") from error
