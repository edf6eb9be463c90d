"""The machines' way out: tunnels and plain requests, past the host's own proxy, never inwards."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from runctl.localcloud.cables import Cable, CableListener
from runctl.localcloud.egress import Egress, is_refused
from runctl.localcloud.upstream import Refuses, Upstream

PATIENCE_S = 10.0


class OpenUpstream(Upstream):
    """Lets loopback count as outside, as the tests have nothing else."""

    def tunnel(self, host: str, port: int, timeout_s: float, refuses: Refuses) -> socket.socket:
        return super().tunnel(*_inwards(host, port), timeout_s, lambda _: False)

    def plain(
        self, host: str, port: int, timeout_s: float, refuses: Refuses
    ) -> tuple[socket.socket, bool]:
        return super().plain(*_inwards(host, port), timeout_s, lambda _: False)


def _inwards(host: str, port: int) -> tuple[str, int]:
    return ("127.0.0.1" if host == "outside.test" else host), port


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers['Host']} {self.headers['Proxy-Connection']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[int]:
    """A web server; returns its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Way:
    """A proxy at the end of a cable."""

    def __init__(self, upstream: Upstream) -> None:
        self.cable = Cable()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._listener = CableListener(listener, self.cable)
        self._egress = Egress(upstream)
        self._egress.serve(self._listener, "i-0abc")

    def ask(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as stream:
            stream.sendall(data)
            return read_all(stream)

    def close(self) -> None:
        self.cable.remove()
        self._egress.drop(self._listener)


@pytest.fixture
def way() -> Iterator[Way]:
    made = Way(OpenUpstream({}))
    yield made
    made.close()


def read_all(stream: socket.socket) -> bytes:
    data = b""
    while chunk := stream.recv(65536):
        data += chunk
    return data


def test_a_tunnel_carries_bytes_both_ways(way: Way, page: int) -> None:
    with socket.create_connection(("127.0.0.1", way.port), PATIENCE_S) as stream:
        # What follows the head at once is the other side's, too.
        get = b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n"
        stream.sendall(b"CONNECT outside.test:%d HTTP/1.1\r\nHost: x\r\n\r\n" % page + get)
        said = read_all(stream)
    head, _, rest = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert rest.endswith(b"/a h None")


def test_a_plain_request_is_passed_on_as_its_server_wants_it(way: Way, page: int) -> None:
    host = b"outside.test:%d" % page
    said = way.ask(
        b"GET http://" + host + b"/a?b=c HTTP/1.1\r\nHost: " + host
        + b"\r\nProxy-Connection: keep-alive\r\n\r\n"
    )  # fmt: skip
    assert said.endswith(b"/a?b=c " + host + b" None")


def test_the_hosts_own_proxy_is_used(page: int) -> None:
    outer = Way(OpenUpstream({}))
    address = f"http://user:pa%20ss@127.0.0.1:{outer.port}"
    inner = Way(Upstream({"https_proxy": address, "HTTP_PROXY": address}))
    try:
        get = b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n"
        said = inner.ask(b"CONNECT outside.test:%d HTTP/1.1\r\n\r\n" % page + get)
        assert said.endswith(b"/a h None")
        said = inner.ask(b"GET http://outside.test:%d/b HTTP/1.1\r\nHost: h\r\n\r\n" % page)
        assert said.endswith(b"/b h None")
    finally:
        inner.close()
        outer.close()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"CONNECT 127.0.0.1:%d HTTP/1.1", b"403"),
        (b"CONNECT localhost:%d HTTP/1.1", b"403"),
        (b"CONNECT [::1]:%d HTTP/1.1", b"403"),
        (b"CONNECT 169.254.169.254:%d HTTP/1.1", b"403"),
        (b"CONNECT [::ffff:127.0.0.1]:%d HTTP/1.1", b"403"),
        (b"CONNECT 0.0.0.0:%d HTTP/1.1", b"403"),
        (b"GET http://127.0.0.1:%d/ HTTP/1.1", b"403"),
        (b"GET /%d HTTP/1.1", b"400"),
        (b"GET https://outside.test:%d/ HTTP/1.1", b"400"),
        (b"CONNECT outside.test:%d000000 HTTP/1.1", b"400"),
        (b"nonsense %d", b"400"),
    ],
)
def test_nobody_gets_into_the_host(page: int, target: bytes, status: bytes) -> None:
    way = Way(Upstream({}))
    try:
        said = way.ask(target % page + b"\r\nHost: x\r\n\r\n")
        assert said.split(b" ")[1] == status, said
    finally:
        way.close()


def test_a_name_of_the_hosts_own_is_refused_by_its_address(page: int) -> None:
    """A name may lead anywhere; what counts is where it leads."""
    way = Way(Upstream({}))
    try:
        name = socket.gethostname()
        addresses = {str(one[4][0]) for one in socket.getaddrinfo(name, page)}
        if not all(map(is_refused, addresses)):
            pytest.skip(f"declared: {name} leads to {addresses} on this machine")
        said = way.ask(f"CONNECT {name}:{page} HTTP/1.1\r\n\r\n".encode())
        assert said.split(b" ")[1] in (b"403", b"502")
    finally:
        way.close()


def test_a_tunnel_hangs_while_the_cable_is_cut_and_then_goes_on(way: Way, page: int) -> None:
    with socket.create_connection(("127.0.0.1", way.port), PATIENCE_S) as stream:
        stream.sendall(b"CONNECT outside.test:%d HTTP/1.1\r\n\r\n" % page)
        assert stream.recv(65536).startswith(b"HTTP/1.1 200")
        way.cable.cut()
        stream.sendall(b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n")
        stream.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stream.recv(65536)
        way.cable.mend()
        stream.settimeout(PATIENCE_S)
        assert read_all(stream).endswith(b"/a h None")


def test_what_was_sent_while_the_cable_was_cut_is_lost_with_its_sender(way: Way, page: int) -> None:
    seen: list[str] = []
    Page.do_GET, kept = (lambda self: seen.append(self.path)), Page.do_GET  # type: ignore[method-assign]
    try:
        with socket.create_connection(("127.0.0.1", way.port), PATIENCE_S) as stream:
            stream.sendall(b"CONNECT outside.test:%d HTTP/1.1\r\n\r\n" % page)
            assert stream.recv(65536).startswith(b"HTTP/1.1 200")
            way.cable.cut()
            stream.sendall(b"GET /given-up HTTP/1.0\r\nHost: h\r\n\r\n")
        way.cable.mend()
        way.ask(b"GET http://outside.test:%d/after HTTP/1.1\r\nHost: h\r\n\r\n" % page)
    finally:
        Page.do_GET = kept  # type: ignore[method-assign]
    assert seen == ["/after"]


def test_a_listener_that_is_dropped_is_still_the_keepers() -> None:
    """The next process gets the same socket, and it must not have been shut down."""
    keepers = socket.create_server(("127.0.0.1", 0))
    ours = CableListener(keepers.dup(), Cable())
    egress = Egress(Upstream({}))
    egress.serve(ours)
    egress.drop(ours)
    with socket.create_connection(keepers.getsockname(), PATIENCE_S), suppress(OSError):
        keepers.setblocking(True)
        keepers.settimeout(PATIENCE_S)
        accepted, _ = keepers.accept()
        accepted.close()
    keepers.close()
