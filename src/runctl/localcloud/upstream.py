"""From the host to the world: directly, or by the proxy that the host itself is told to use."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import proxy_bypass

Refuses = Callable[[str], bool]
"""Tells of an address whether it must not be reached."""
_HEAD_BYTES = 64 << 10


class Upstream:
    """Opens connections to the world. ``environ`` names the host's own proxy, if it has one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._proxies = {
            scheme: found
            for scheme in ("http", "https")
            if (found := environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY"))
        }
        self._exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""

    def tunnel(self, host: str, port: int, timeout_s: float, refuses: Refuses) -> socket.socket:
        """Return a connection; raises OSError, also where all addresses are refused."""
        proxy = self._proxy_for("https", host, port)
        if proxy is not None:
            return _through(proxy, host, port, timeout_s)
        return _directly(host, port, timeout_s, refuses)

    def plain(
        self, host: str, port: int, timeout_s: float, refuses: Refuses
    ) -> tuple[socket.socket, bool]:
        """Return a connection for a plain request, and whether it is the proxy who reads it."""
        proxy = self._proxy_for("http", host, port)
        if proxy is None:
            return _directly(host, port, timeout_s, refuses), False
        place = (proxy.hostname or "", proxy.port or 80)
        return socket.create_connection(place, timeout_s), True

    def _proxy_for(self, scheme: str, host: str, port: int) -> SplitResult | None:
        if proxy_bypass(f"{host}:{port}", {"no": self._exceptions}):
            return None
        found = self._proxies.get(scheme)
        if found is None:
            return None
        return urlsplit(found if "://" in found else f"http://{found}")


def _directly(host: str, port: int, timeout_s: float, refuses: Refuses) -> socket.socket:
    fault = OSError("it is not outside")
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if refuses(str(place[0])):
            continue
        try:
            return socket.create_connection((str(place[0]), port), timeout_s)
        except OSError as error:
            fault = error
    raise fault


def _through(proxy: SplitResult, host: str, port: int, timeout_s: float) -> socket.socket:
    stream = socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout_s)
    try:
        stream.sendall(_connect_request(proxy, host, port))
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            byte = stream.recv(1)  # what comes behind the head is the other side's
            if not byte or len(data) > _HEAD_BYTES:
                raise ConnectionError("the host's own proxy has hung up")
            data += byte
        first = data.split(b"\r\n", 1)[0].decode("latin-1")
        if first.split(" ")[1:2] != ["200"]:
            raise ConnectionError(f"the host's own proxy answered {first}")
    except BaseException:
        stream.close()
        raise
    return stream


def _connect_request(proxy: SplitResult, host: str, port: int) -> bytes:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if proxy.username:
        secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
