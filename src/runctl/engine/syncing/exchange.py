"""One exchange with the receiver on an instance: what is there is told, a request answered."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import zstandard

from runctl.agent import receiving
from runctl.errors import TransportError

# All that can be done before anything is asked is done before: the reading here takes longer.
_BOOT = """
import errno, fcntl, gc, hashlib, marshal, os, stat, sys, time, zlib
kept = sys.argv[1]
try:
    code = os.path.exists(kept) and marshal.loads(open(kept, "rb").read())
except Exception:
    os.unlink(kept)  # torn by a crash: the next sync sends it again
    raise
given = sys.stdin.buffer
size = given.readline()
if size:
    if size != b"0\\n":
        text = zlib.decompress(given.read(int(size)))
        code = compile(text, "receiver", "exec", optimize=2)
    exec(code)
    main(code, kept)
"""
_ZSTD_LEVEL, _ZLIB_LEVEL = 3, 6
_PART_BYTES = 1 << 17
_LOOK_S = 0.001


class Streaming(Protocol):
    is_live: bool
    """What a command prints can be read, and what it reads be written, while it runs."""

    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        """Run a command; return its status, and its standard error."""
        ...


class Seen(NamedTuple):
    """What the start of the receiver has told, before anything was asked.

    ``look`` names what is there: ``none`` where nothing is, and nothing where that is not known.
    """

    look: str = ""
    codec: str = "zlib"
    need: str = "all"


Asked = tuple[dict[str, Any], Iterable[bytes]]
Ask = Callable[[Seen], Asked | None]
Answer = dict[str, Any]


def exchange(
    transport: Streaming, folder: str, ask: Ask, codec: str
) -> tuple[Answer | None, Seen, int]:
    """Start the receiver, and ask; return its answer, what was seen there, and the bytes sent.

    ``ask`` returns the opening and the parts, a request and the files' bytes; None asks nothing.
    It is called while the receiver starts: what it raises ends the exchange, and nothing is
    changed. Raises TransportError where nothing answers.
    """
    with tempfile.TemporaryFile() as out, ThreadPoolExecutor(1) as threads:
        reading, writing = os.pipe()
        running = threads.submit(_run, transport, folder, reading, out)
        with closing(os.fdopen(writing, "wb", buffering=0)) as pipe:
            seen = _await_line(running, out) if transport.is_live else Seen(codec=codec)
            asked = ask(seen)
            sent = 0 if asked is None else _send(pipe, seen, *asked)
        status, stderr = running.result()
        out.seek(0)
        told = Seen(*out.readline().decode("ascii", "replace").split()[:3])
        return (None if asked is None else _read(out, status, stderr)), told, sent


def _run(transport: Streaming, folder: str, reading: int, out: BinaryIO) -> tuple[int, bytes]:
    live = "live" if transport.is_live else ""
    argv = ["sh", "-c", _script(), "sync", folder, _BOOT, _program()[0], live]
    with os.fdopen(reading, "rb", buffering=0) as stdin:
        return transport.stream(argv, stdin, out)


def _await_line(running: Future[tuple[int, bytes]], out: BinaryIO) -> Seen:
    """Return what is told first. A file is looked at: a connection may hold a pipe open."""
    while True:
        is_over = bool(wait([running], _LOOK_S).done)
        line, newline, _ = os.pread(out.fileno(), 200, 0).partition(b"\n")
        if newline:
            return Seen(*line.decode("ascii").split())
        if is_over:
            return Seen()


def _send(pipe: Any, seen: Seen, opening: dict[str, Any], parts: Iterable[bytes]) -> int:
    record = marshal.dumps(opening, receiving.OLDEST)
    program = b"0\n" if seen.need == "nothing" else _program()[1]
    sent = 0
    try:
        sent += _write(pipe, b"%b%d\n%b" % (program, len(record), record))
        for part in _compressed(parts, opening["codec"]):
            sent += _write(pipe, part)
    except BrokenPipeError:
        pass  # it has said all that it will, and why
    return sent


@cache
def _script() -> str:
    return Path(__file__).with_name("start.sh").read_text(encoding="ascii")


@cache
def _program() -> tuple[str, bytes]:
    """Return what names the receiver's version, and the receiver."""
    text = Path(receiving.__file__).read_bytes()
    packed = zlib.compress(text, 9)
    return hashlib.sha256(text).hexdigest()[:16], b"%d\n%b" % (len(packed), packed)


def _write(pipe: Any, data: bytes) -> int:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]
    return len(data)


def _compressed(parts: Iterable[bytes], codec: str) -> Iterator[bytes]:
    """Yield one compressed stream, in parts that are worth a write."""
    is_zstd = codec == "zstd"
    packer: Any = (
        zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=1).compressobj()  # beside the reading
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


def _read(out: BinaryIO, status: int, stderr: bytes) -> Answer:
    try:
        answer: Answer = json.loads(zlib.decompress(out.read()))
    except (ValueError, zlib.error) as error:
        told = stderr.decode(errors="replace").strip().splitlines() or [f"status {status}"]
        raise TransportError(
            f"the receiver of the sync ended without an answer: {told[-1]}"
        ) from error
    return answer
