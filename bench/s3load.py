"""The client of the storage benchmark: plain sockets and ready requests, in a process of its own.

It reads one job in JSON from its input, connects, says ``ready``, waits for a line, and writes the
seconds that the job took. It computes no digest and looks at the bodies of no answer, so that it is
the server that is measured.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

_ROOM = 1 << 20
Job = dict[str, Any]


def main() -> None:
    job: Job = json.loads(sys.stdin.readline())
    streams = [_connect(job) for _ in range(job["connections"])]
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    _KINDS[job["kind"]](job, streams)
    print(time.perf_counter() - began, flush=True)


def _connect(job: Job) -> socket.socket:
    stream = socket.create_connection((job["host"], job["port"]))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def _requests(job: Job, size: int) -> Iterator[bytes]:
    return (f"{head}Content-Length: {size}\r\n\r\n".encode() for head in job["heads"])


# ---------------------------------------------------------------- large objects, one by one


def put_large(job: Job, streams: list[socket.socket]) -> None:
    [stream], block, size = streams, memoryview(bytes(range(256)) * (_ROOM // 256)), job["size"]
    for request in _requests(job, size):
        stream.sendall(request)
        for _ in range(size // _ROOM):
            stream.sendall(block)
        _read_answer(stream, bytearray(_ROOM), 0)


def get_large(job: Job, streams: list[socket.socket]) -> None:
    [stream], space = streams, bytearray(_ROOM)
    for request in _requests(job, 0):
        stream.sendall(request)
        _read_answer(stream, space, job["size"])


def _read_answer(stream: socket.socket, space: bytearray, size: int) -> None:
    """Read an answer of 200 with so many bytes; what comes is not kept."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = stream.recv(4096)
        assert piece, "the server has hung up"
        head += piece
    assert head.startswith(b"HTTP/1.1 200"), head
    left = size - len(head.partition(b"\r\n\r\n")[2])
    while left > 0:
        count = stream.recv_into(space)
        assert count, "the server has hung up"
        left -= count


# ---------------------------------------------------------------- small objects, many at once


def put_small(job: Job, streams: list[socket.socket]) -> None:
    body = b"x" * job["size"]
    _exchange_all(streams, (one + body for one in _requests(job, len(body))), 0)


def get_small(job: Job, streams: list[socket.socket]) -> None:
    _exchange_all(streams, _requests(job, 0), job["size"])


def _exchange_all(streams: list[socket.socket], requests: Iterator[bytes], size: int) -> None:
    """Keep every connection busy until all requests are answered."""
    waiting, got = select.epoll(), {stream.fileno(): (stream, b"") for stream in streams}
    for number, (stream, _) in got.items():
        waiting.register(number, select.EPOLLIN)
        stream.sendall(next(requests))
    busy = len(streams)
    while busy:
        for number, _ in waiting.poll():
            stream, known = got[number]
            known += stream.recv(65536)
            if _is_whole(known, size):
                known, following = b"", next(requests, None)
                busy -= following is None
                if following is not None:
                    stream.sendall(following)
            got[number] = stream, known


def _is_whole(answer: bytes, size: int) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    assert not found or head.startswith(b"HTTP/1.1 200"), answer
    return bool(found) and len(body) >= size


_KINDS: dict[str, Callable[[Job, list[socket.socket]], None]] = {
    "put_large": put_large,
    "get_large": get_large,
    "put_small": put_small,
    "get_small": get_small,
}


if __name__ == "__main__":
    main()
