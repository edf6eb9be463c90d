"""Files to and from another machine, over any transport that streams."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from runctl.errors import IntegrityError, TransportError
from runctl.transports.remote_command import shell_text


class Streaming(Protocol):
    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        """Run a command; return its status, negative for a signal, and its standard error."""
        ...


def put(transport: Streaming, source: Path, target: str) -> None:
    """Bring a file there, whole or not at all."""
    what = f"{source} cannot be copied to {target}"
    with _told(what), source.open("rb") as file, tempfile.TemporaryFile() as said:
        mode = f"{stat.S_IMODE(os.fstat(file.fileno()).st_mode):o}"
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        argv = ["sh", "-c", shell_text("put.sh"), "put", target, mode, digest]
        status, stderr = transport.stream(argv, file, said)
    _check(what, status, stderr)


def get(transport: Streaming, source: str, target: Path) -> None:
    """Bring a file back, whole or not at all."""
    what = f"{source} cannot be copied to {target}"
    part = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        with _told(what):
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = _receive(transport, source, part, what)
            part.chmod(mode)
            part.replace(target)
    finally:
        with suppress(OSError):  # it has its name, or was never made
            part.unlink()


def _receive(transport: Streaming, source: str, part: Path, what: str) -> int:
    argv = ["sh", "-c", shell_text("get.sh"), "get", source]
    with open(part, "x+b", opener=_private) as file:
        status, stderr = transport.stream(argv, None, file)
        _check(what, status, stderr)
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    mode, digest = stderr.decode("ascii").split()[-2:]
    if digest != found:
        raise IntegrityError(f"{what}: it changed while it was read", hint="type the same again")
    return int(mode, 8)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _check(what: str, status: int, stderr: bytes) -> None:
    if status:
        words = stderr.decode(errors="replace").strip() or f"status {status}"
        raise TransportError(f"{what}: {words}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransportError(f"{what}: {error.strerror}") from error
