"""One connection: reads requests off a socket, and writes answers onto it."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from runctl.localcloud.http.messages import FileSlice, FileSlices, Request, Response

HEAD_LIMIT_BYTES = 64 << 10
_CHUNK = 1 << 18
_DRAIN_LIMIT_BYTES = 1 << 20
_LINGER_S = 5.0


_SILENT = "the client has been silent for too long"
_Body = bytes | FileSlice | FileSlices | Iterable[bytes]


class BadRequest(Exception):
    """What came in is no request; the connection ends after the answer."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Connection:
    """Reads through a buffer of its own, so that what belongs to the next request stays."""

    def __init__(self, stream: socket.socket, via: str | None) -> None:
        self._socket = stream
        self._via = via
        self._buffer = bytearray()
        self._is_reset = False

    def read_request(self) -> Request | None:
        """Return the next request; None where the client has hung up between two."""
        head = self._read_head()
        if head is None:
            return None
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(400, "the request line cannot be read")
        path, _, query = _without_host(words[1]).partition("?")
        headers = _read_headers(lines)
        if words[2] == "HTTP/1.0":
            headers.setdefault("connection", "close")
        body = self._body(headers)
        return Request(words[0], path, query, headers, body, self._via)

    def _read_head(self) -> str | None:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT_BYTES:
                raise BadRequest(431, "the headers are too large")
            if not self._fill():
                if self._buffer.strip():
                    raise BadRequest(400, "the request is cut off")
                return None
        head = self._buffer[:end].decode("latin-1").lstrip("\r\n")
        del self._buffer[: end + 4]
        return head

    def _body(self, headers: dict[str, str]) -> SocketBody:
        is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        try:
            length = None if is_chunked else int(headers.get("content-length", "0"))
        except ValueError:
            raise BadRequest(400, "the content length is no number") from None
        if length is not None and length < 0:
            raise BadRequest(400, "the content length is negative")
        is_expected = headers.get("expect", "").lower() == "100-continue"
        return SocketBody(self, length, is_expected=is_expected)

    def _fill(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            raise TimeoutError(_SILENT) from None
        self._buffer += data
        return bool(data)

    # -- for the body

    def take_into(self, target: memoryview) -> int:
        """Fill a part of the target from the buffer, else from the socket."""
        if self._buffer:
            count = min(len(target), len(self._buffer))
            target[:count] = self._buffer[:count]
            del self._buffer[:count]
            return count
        try:
            return self._socket.recv_into(target)
        except BlockingIOError:
            raise TimeoutError(_SILENT) from None

    def take_line(self) -> bytes:
        """Return a line of the chunked coding, without its end."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT_BYTES or not self._fill():
                raise BadRequest(400, "the chunks cannot be read")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def go_on(self) -> None:
        """Tell the client that its body is wanted."""
        self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    # -- answering

    def answer(self, request: Request | None, response: Response) -> bool:
        """Send an answer; return whether the connection may be used again."""
        if response.is_reset:
            self._reset()
            return False
        keeps = request is not None and self._may_keep(request)
        is_head = request is not None and request.method == "HEAD"
        body = response.body
        head = _head_of(response, keeps=keeps)
        try:
            if is_head or response.status in (204, 304):
                self._socket.sendall(head)
                return keeps
            if isinstance(body, bytes) and response.cut_after is None:
                self._socket.sendall(head + body)
                return keeps
            self._socket.sendall(head)
            return self._send_body(body, response.cut_after) and keeps
        finally:
            for piece in _pieces(body):
                os.close(piece.descriptor)

    def _may_keep(self, request: Request) -> bool:
        if request.headers.get("connection", "").lower() == "close":
            return False
        body = request.body
        try:
            return isinstance(body, SocketBody) and body.drain(_DRAIN_LIMIT_BYTES)
        except BadRequest:
            return False  # what is left of it cannot be read, and need not be

    def linger(self) -> None:
        """Let the client read its answer before the end, and read what it sends till then.

        A socket that is closed with bytes unread resets the connection, and the answer is lost:
        https://www.rfc-editor.org/rfc/rfc9112#section-9.6.
        """
        if self._is_reset:
            return
        self._socket.shutdown(socket.SHUT_WR)
        until = time.monotonic() + _LINGER_S
        while time.monotonic() < until and self._socket.recv(_CHUNK):
            pass

    def _send_body(self, body: _Body, cut_after: int | None) -> bool:
        if cut_after is not None:
            self._cut(body, cut_after)
            return False
        if isinstance(body, FileSlice | FileSlices):
            for piece in _pieces(body):
                self._send_file(piece, piece.length)
        else:
            self._send_chunks([body] if isinstance(body, bytes) else body)
        return True

    def _send_file(self, piece: FileSlice, length: int) -> None:
        offset, end = piece.offset, piece.offset + length
        while offset < end:
            sent = os.sendfile(self._socket.fileno(), piece.descriptor, offset, end - offset)
            if not sent:
                raise ConnectionError("the file is shorter than was announced")
            offset += sent

    def _send_chunks(self, body: Iterable[bytes]) -> None:
        for chunk in body:
            if chunk:
                self._socket.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._socket.sendall(b"0\r\n\r\n")

    def _cut(self, body: _Body, after: int) -> None:
        """Send the beginning of the body, and reset the connection."""
        if isinstance(body, FileSlice | FileSlices):
            for piece in _pieces(body):
                self._send_file(piece, min(after, piece.length))
                after -= min(after, piece.length)
        else:
            whole = body if isinstance(body, bytes) else b"".join(body)
            self._socket.sendall(whole[:after])
        self._reset()

    def _reset(self) -> None:
        """Let the connection end with a reset once it is closed."""
        self._is_reset = True
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class SocketBody:
    """The body of one request."""

    def __init__(self, connection: Connection, length: int | None, *, is_expected: bool) -> None:
        self.length = length
        self._connection = connection
        self._left = length if length is not None else 0
        self._is_chunked = length is None
        self._is_done = length == 0
        self._is_expected = is_expected and not self._is_done

    def readinto(self, buffer: memoryview) -> int:
        if self._is_expected:
            self._is_expected = False
            self._connection.go_on()
        if self._is_done or not len(buffer):
            return 0
        if self._is_chunked and not self._left and not self._has_next_chunk():
            return 0
        count = self._connection.take_into(buffer[: self._left])
        if not count:
            raise ConnectionError("the client hung up in the middle of the body")
        self._advance(count)
        return count

    def read(self, size: int = -1) -> bytes:
        if size >= 0:
            space = bytearray(min(size, _CHUNK))
            return bytes(space[: self.readinto(memoryview(space))])
        return b"".join(iter(lambda: self.read(_CHUNK), b""))

    def drain(self, limit: int) -> bool:
        """Read what nobody has read; False where that is too much, or was never asked for."""
        if self._is_expected:
            return False
        space = memoryview(bytearray(65536))
        while not self._is_done:
            limit -= self.readinto(space)
            if limit < 0:
                return False
        return True

    def _advance(self, count: int) -> None:
        self._left -= count
        if self._left:
            return
        if self._is_chunked:
            self._connection.take_line()  # the end of the chunk
        else:
            self._is_done = True

    def _has_next_chunk(self) -> bool:
        size = self._connection.take_line().partition(b";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            raise BadRequest(400, "the size of a chunk is no number") from None
        if not self._left:
            while self._connection.take_line():
                pass  # trailers of the transfer coding
            self._is_done = True
        return not self._is_done


def _pieces(body: _Body) -> list[FileSlice]:
    if isinstance(body, FileSlices):
        return body.pieces
    return [body] if isinstance(body, FileSlice) else []


def _without_host(target: str) -> str:
    """Return the path of a target, also of one in absolute form."""
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    return f"/{rest.partition('/')[2]}" if found else f"/{target}"


def _read_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a header cannot be read")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _head_of(response: Response, *, keeps: bool) -> bytes:
    try:
        reason = HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {reason}", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {_one_line(value)}" for name, value in response.headers.items()]
    if isinstance(response.body, bytes):
        if "Content-Length" not in response.headers and response.status != 204:
            lines.append(f"Content-Length: {len(response.body)}")
    elif isinstance(response.body, FileSlice | FileSlices):
        lines.append(f"Content-Length: {response.body.length}")
    else:
        lines.append("Transfer-Encoding: chunked")
    lines.append(f"Connection: {'keep-alive' if keeps else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
