"""The machines' way out: an HTTP proxy that is reached from inside a machine only.

It serves CONNECT, and plain ``http://`` requests, which is all that pip, uv, apt and docker need.
The loopback of the host is none of a machine's business, and is refused.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from urllib.parse import urlsplit

from runctl.localcloud.upstream import Upstream

_LOG = logging.getLogger(__name__)
_HEAD_BYTES = 64 << 10
_CHUNK_BYTES = 256 << 10
_CONNECT_S = 30.0
_OWN_HEADERS = ("connection", "keep-alive", "proxy-authorization", "proxy-connection")


class Refused(Exception):
    """What the machine is told instead."""

    def __init__(self, status: str, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class Wish:
    """What a machine asks for."""

    method: str
    host: str
    port: int
    path: str
    """Of a plain request; empty for a tunnel."""
    headers: tuple[tuple[str, str], ...]
    rest: bytes
    """What came behind the head."""

    @property
    def is_tunnel(self) -> bool:
        return self.method == "CONNECT"


class Egress:
    """Serves the proxy on the sockets that listen in machines."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = Lock()
        self._threads: dict[socket.socket, Thread] = {}

    def serve(self, listener: socket.socket, via: str | None = None) -> None:
        """Accept on a socket that listens in a machine's network."""
        name = f"egress {via}"
        thread = Thread(target=self._accept, args=(listener,), name=name, daemon=True)
        with self._lock:
            self._threads[listener] = thread
        thread.start()

    def drop(self, listener: socket.socket) -> None:
        """Accept no more on a socket, and close it."""
        with self._lock:
            thread = self._threads.pop(listener, None)
        if thread is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._talk, args=(stream,), name="egress", daemon=True).start()

    def _talk(self, inside: socket.socket) -> None:
        with inside:
            try:
                inside.settimeout(_CONNECT_S)
                self._pass_on(inside, read_wish(inside))
            except Refused as refusal:
                with suppress(OSError):
                    inside.sendall(_answer(refusal.status, f"{refusal}\n"))
            except OSError as error:
                _LOG.debug("a way out ended: %s", error)

    def _pass_on(self, inside: socket.socket, wish: Wish) -> None:
        check_host(wish.host)
        with self._reach(wish) as outside:
            if wish.is_tunnel:
                inside.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                outside.sendall(wish.rest)
            _carry(inside, outside)

    def _reach(self, wish: Wish) -> socket.socket:
        place = (wish.host, wish.port, _CONNECT_S, is_refused)
        try:
            if wish.is_tunnel:
                return self._upstream.tunnel(*place)
            outside, is_absolute = self._upstream.plain(*place)
            outside.sendall(_request(wish, is_absolute=is_absolute))
        except OSError as error:
            raise Refused("502 Bad Gateway", f"{wish.host}:{wish.port}: {error}") from error
        return outside


def read_wish(stream: socket.socket) -> Wish:
    """Read the head of a request to a proxy; raise ``Refused`` for what cannot be read."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = stream.recv(_HEAD_BYTES)
        if not chunk or len(data) > _HEAD_BYTES:
            raise Refused("400 Bad Request", "the request cannot be read")
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, _ = first.split(" ")
        host, port, path = _place(method, target)
    except ValueError:
        raise Refused("400 Bad Request", f"not a request to a proxy: {first}") from None
    fields = tuple((name, value.strip()) for name, _, value in (x.partition(":") for x in lines))
    return Wish(method, host, port, path, fields, rest)


def check_host(host: str) -> None:
    """Raise ``Refused`` for what is plainly not outside."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        raise Refused("403 Forbidden", f"{host} is not outside")
    with suppress(ValueError):
        if is_refused(str(ipaddress.ip_address(name))):
            raise Refused("403 Forbidden", f"{host} is not outside")


def is_refused(address: str) -> bool:
    """Tell whether an address is the host's own business."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(
        mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified or mapped.is_multicast
    )


def _place(method: str, target: str) -> tuple[str, int, str]:
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        default, path = 443, ""
    else:
        parts = urlsplit(target)
        if parts.scheme != "http":
            raise ValueError(target)
        default = 80
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not parts.hostname:
        raise ValueError(target)
    return parts.hostname, parts.port or default, path


def _request(wish: Wish, *, is_absolute: bool) -> bytes:
    """Write a plain request as its reader wants it, for one answer and no more."""
    target = f"http://{wish.host}:{wish.port}{wish.path}" if is_absolute else wish.path
    lines = [f"{wish.method} {target} HTTP/1.1"]
    lines += [f"{name}: {text}" for name, text in wish.headers if name.lower() not in _OWN_HEADERS]
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1") + wish.rest


def _answer(status: str, text: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text.encode())}\r\nConnection: close\r\n\r\n"
    return (head + text).encode()


def _carry(inside: socket.socket, outside: socket.socket) -> None:
    """Carry bytes both ways, until both sides have said their last."""
    for stream in (inside, outside):
        stream.settimeout(None)
    back = Thread(target=_carry_one_way, args=(outside, inside), name="egress back", daemon=True)
    back.start()
    _carry_one_way(inside, outside)
    back.join()


def _carry_one_way(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for stream in (source, target):  # one side is broken: the other must hear of it
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
