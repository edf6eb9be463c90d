"""One exchange with the receiver on an instance: a request goes, an answer comes."""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import zstandard

from runctl.agent import receiving
from runctl.errors import TransportError

_PYTHON = """
for python in python3 "$HOME"/.runctl/agents/*/bin/python /usr/libexec/platform-python; do
    ! command -v "$python" >/dev/null 2>&1 || exec "$python" -ISX utf8 -c "$@"
done
echo "it has no Python" >&2
exit 127
"""
_BOOT = "import sys,zlib;i=sys.stdin.buffer;exec(zlib.decompress(i.read(int(i.readline()))))"
_ZSTD_LEVEL, _ZLIB_LEVEL = 3, 6
_PART_BYTES = 1 << 17


class Streaming(Protocol):
    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        """Run a command; return its status, and its standard error."""
        ...


def exchange(
    transport: Streaming, opening: dict[str, Any], parts: Iterable[bytes]
) -> tuple[dict[str, Any], int]:
    """Send the receiver, the opening, and the parts; return its answer, and the bytes sent.

    The parts, a line of request and the files' bytes, are asked for while the receiver starts:
    what they raise ends the exchange, and nothing is changed. Raises TransportError where
    nothing answers.
    """
    start = _program() + json.dumps(opening).encode() + b"\n"
    sent = 0
    with tempfile.TemporaryFile() as out, ThreadPoolExecutor(1) as threads:
        reading, writing = os.pipe()
        future = threads.submit(_run, transport, reading, out)
        with closing(os.fdopen(writing, "wb", buffering=0)) as pipe:
            try:
                sent += _write(pipe, start)
                for part in _compressed(parts, opening["codec"]):
                    sent += _write(pipe, part)
            except BrokenPipeError:
                pass  # it has said all that it will, and why
        status, stderr = future.result()
        out.seek(0)
        return _read(out.read(), status, stderr), sent


@cache
def _program() -> bytes:
    packed = zlib.compress(Path(receiving.__file__).read_bytes(), 9)
    return b"%d\n%b" % (len(packed), packed)


def _run(transport: Streaming, reading: int, out: BinaryIO) -> tuple[int, bytes]:
    argv = ["sh", "-c", _PYTHON, "sync", _BOOT]
    with os.fdopen(reading, "rb", buffering=0) as stdin:
        return transport.stream(argv, stdin, out)


def _write(pipe: Any, data: bytes) -> int:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]
    return len(data)


def _compressed(parts: Iterable[bytes], codec: str) -> Iterator[bytes]:
    """Yield one compressed stream, in parts that are worth a write."""
    is_zstd = codec == "zstd"
    packer: Any = (
        zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        if is_zstd
        else zlib.compressobj(_ZLIB_LEVEL)
    )
    held: list[bytes] = []
    held_bytes = 0
    for part in parts:
        packed = packer.compress(part)
        held.append(packed)
        held_bytes += len(packed)
        if held_bytes > _PART_BYTES:
            yield b"".join(held)
            held, held_bytes = [], 0
    yield b"".join((*held, packer.flush()))


def _read(data: bytes, status: int, stderr: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(zlib.decompress(data))
    except (ValueError, zlib.error) as error:
        told = stderr.decode(errors="replace").strip().splitlines() or [f"status {status}"]
        raise TransportError(
            f"the receiver of the sync ended without an answer: {told[-1]}"
        ) from error
    return answer
