"""A store that keeps nothing: ``python -m bench.nullstore PORT_FILE [CERTIFICATE]``.

It is here so that a client is measured, and not a server. What it is asked for tells it the answer:
below ``old/COUNTxSIZE/`` there are so many objects of so many zeros, below ``new/COUNTxSIZE/`` each
that is asked for by its key, and none in a list. It checks no signature, throws away what is sent,
and answers with the digests of zeros. Two processes share the port, with a thread for each
connection.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote

MIB = 1024**2
PART_BYTES = 16 * MIB
WHEN = "2026-01-02T03:04:05.000Z"
_OBJECT = re.compile(r"(?:old|new)/(\d+)x(\d+)/")
_ZEROS = bytes(MIB)
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
Headers = dict[str, str]


@cache
def zeros(algorithm: str, size: int) -> bytes:
    """Return the digest of so many zeros."""
    hasher = hashlib.new(algorithm)
    for _ in range(size // MIB):
        hasher.update(_ZEROS)
    hasher.update(_ZEROS[: size % MIB])
    return hasher.digest()


def etag(size: int) -> str:
    if size <= PART_BYTES:
        return f'"{zeros("md5", size).hex()}"'
    return f'"{"0" * 32}-{-(-size // PART_BYTES)}"'


class Connection(Thread):
    """One connection, until its client hangs up."""

    def __init__(self, stream: socket.socket, tls: ssl.SSLContext | None) -> None:
        super().__init__(daemon=True)
        self._raw, self._tls = stream, tls
        self._room = bytearray(MIB)
        self._waiting = b""

    def run(self) -> None:
        try:
            self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = self._tls and self._tls.wrap_socket(self._raw, server_side=True)
            self._stream: socket.socket = wrapped or self._raw
            while self._exchange():
                pass
        except OSError:
            return  # who was cut off has nothing to be told
        finally:
            self._raw.close()

    def _exchange(self) -> bool:
        head = self._read_until(b"\r\n\r\n")
        if not head:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines if line)}  # fmt: skip
        if headers.get("expect", "").lower() == "100-continue":
            self._stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = self._swallow(headers)
        path, _, query = target.partition("?")
        self._answer(method, unquote(path), parse_qs(query, keep_blank_values=True), headers, size)
        return True

    # -- what comes

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self._waiting:
            piece = self._stream.recv(65536)
            if not piece:
                return b""
            self._waiting += piece
        head, _, self._waiting = self._waiting.partition(mark)
        return head

    def _swallow(self, headers: Headers) -> int:
        """Take a body; return how many bytes of an object it brought."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            size = int(headers.get("content-length", 0))
            self._drop(size)
            return int(headers.get("x-amz-decoded-content-length", size))
        while chunk := int(self._read_until(b"\r\n").partition(b";")[0], 16):
            self._drop(chunk + 2)
        while self._read_until(b"\r\n"):
            pass
        return int(headers["x-amz-decoded-content-length"])

    def _drop(self, size: int) -> None:
        kept = len(self._waiting)
        self._waiting = self._waiting[min(size, kept) :]
        left = size - min(size, kept)
        # Linux throws bytes of TCP away without copying them; those of TLS have to be read.
        flags = socket.MSG_TRUNC if self._tls is None else 0
        while left > 0:
            count = self._stream.recv_into(self._room, min(left, MIB), flags)
            if not count:
                raise ConnectionError("the client has hung up")
            left -= count

    # -- what goes

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], headers: Headers, size: int
    ) -> None:
        key = path.partition("/")[2].partition("/")[2]
        if method == "PUT":
            self._send(200, {"ETag": etag(size)})
        elif method == "POST":
            self._send(200, {}, _posted(key, query))
        elif method == "DELETE":
            self._send(204, {})
        elif not key:
            self._send(200, {"x-amz-bucket-region": "us-east-1"}, _listed(query) if query else "")
        elif "attributes" in query:
            self._send(200, {}, _attributes(key))
        else:
            self._send_object(method, key, headers)

    def _send_object(self, method: str, key: str, headers: Headers) -> None:
        found = _OBJECT.match(key)
        if not found:
            body = f"{_XML}<Error><Code>NoSuchKey</Code></Error>" if method == "GET" else ""
            self._send(404, {}, body)
            return
        size = int(found[2])
        told = {"ETag": etag(size), "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
        status, length = 200, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if asked:
            start, end = int(asked[1]), min(int(asked[2] or size), size - 1)
            status, length = 206, end - start + 1
            told["Content-Range"] = f"bytes {start}-{end}/{size}"
        self._send(status, told, length=length)
        while method == "GET" and length > 0:
            count = min(length, MIB)
            self._stream.sendall(memoryview(_ZEROS)[:count])
            length -= count

    def _send(self, status: int, told: Headers, body: str = "", length: int | None = None) -> None:
        data = body.encode()
        lines = [
            f"HTTP/1.1 {status} X",
            f"Content-Length: {len(data) if length is None else length}",
        ]
        lines += [f"{name}: {value}" for name, value in told.items()]
        self._stream.sendall("\r\n".join([*lines, "", ""]).encode() + data)


def _posted(key: str, query: dict[str, list[str]]) -> str:
    if "uploads" in query:
        told = f"<Bucket>bench</Bucket><Key>{key}</Key><UploadId>one</UploadId>"
        return f"{_XML}<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>"
    told = f"<Bucket>bench</Bucket><Key>{key}</Key><ETag>&quot;{'0' * 32}-2&quot;</ETag>"
    return f"{_XML}<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>"


def _listed(query: dict[str, list[str]]) -> str:
    """Return one page of a list, of either version."""
    prefix = query.get("prefix", [""])[0]
    found = _OBJECT.match(prefix) if prefix.startswith("old/") else None
    count, size = (int(found[1]), int(found[2])) if found else (0, 0)
    since = query.get("continuation-token", query.get("marker", query.get("start-after", [""])))[0]
    first = int(since[-10:-4]) + 1 if since else 0
    last = min(first + 1000, count)
    more = f"<NextContinuationToken>{_name(prefix, last - 1)}</NextContinuationToken>"
    return (
        f"{_XML}<ListBucketResult><Name>bench</Name><Prefix>{prefix}</Prefix><MaxKeys>1000</MaxKeys>"
        f"<KeyCount>{last - first}</KeyCount><IsTruncated>{str(last < count).lower()}</IsTruncated>"
        f"{more if last < count else ''}{''.join(_entries(prefix, first, last, size))}"
        "</ListBucketResult>"
    )


def _entries(prefix: str, first: int, last: int, size: int) -> Iterator[str]:
    rest = (
        f"</Key><LastModified>{WHEN}</LastModified><ETag>{etag(size).replace(chr(34), '&quot;')}"
        f"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
    for number in range(first, last):
        yield f"<Contents><Key>{_name(prefix, number)}{rest}"


def _name(prefix: str, number: int) -> str:
    return f"{prefix}{number:06d}.bin"


def _attributes(key: str) -> str:
    """Tell the SHA-256 of the parts of a large object, as one stored in parts has them."""
    found = _OBJECT.match(key)
    size = int(found[2]) if found else 0
    sizes = [min(PART_BYTES, size - start) for start in range(0, size, PART_BYTES)]
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{one}</Size><ChecksumSHA256>"
        f"{base64.b64encode(zeros('sha256', one)).decode()}</ChecksumSHA256></Part>"
        for number, one in enumerate(sizes, 1)
    )
    return (
        f"{_XML}<GetObjectAttributesOutput><ObjectParts><IsTruncated>false</IsTruncated>{parts}"
        "</ObjectParts></GetObjectAttributesOutput>"
    )


def main() -> None:
    port_file, *certificate = sys.argv[1:]
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate[0])
    door = socket.create_server(("127.0.0.1", 0), backlog=256)
    os.fork()
    Path(port_file).write_text(str(door.getsockname()[1]), encoding="ascii")
    while True:
        stream, _ = door.accept()
        Connection(stream, tls).start()


if __name__ == "__main__":
    main()
