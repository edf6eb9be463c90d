"""A server with a thread for each connection, on as many listening sockets as there are."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread

from runctl.localcloud.http.connection import BadRequest, Connection
from runctl.localcloud.http.messages import Request, Responder, Response

_LOG = logging.getLogger(__name__)
_IDLE_S = 3600.0


class Server:
    """Answers what comes in on its listening sockets; nothing a client does ends it."""

    def __init__(self, respond: Responder) -> None:
        self._respond = respond
        self._lock = Lock()
        self._listeners: dict[socket.socket, Thread] = {}
        self._connections: set[socket.socket] = set()
        self._is_closed = False

    def serve(self, listener: socket.socket, via: str | None = None) -> None:
        """Accept on a socket that listens already, in whatever network it is."""
        thread = Thread(target=self._accept, args=(listener, via), daemon=True, name="accept")
        with self._lock:
            self._listeners[listener] = thread
        thread.start()

    def drop(self, listener: socket.socket) -> None:
        """Accept no more on a socket, and close it."""
        with self._lock:
            thread = self._listeners.pop(listener, None)
        if thread is not None:
            _end(listener)
            thread.join()

    def close(self) -> None:
        """End every connection, and accept no more."""
        self._is_closed = True
        for listener in list(self._listeners):
            self.drop(listener)
        with self._lock:
            for connection in self._connections:
                _shut(connection)

    def _accept(self, listener: socket.socket, via: str | None) -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return  # it was dropped
            Thread(target=self._talk, args=(stream, via), daemon=True, name="http").start()

    def _talk(self, stream: socket.socket, via: str | None) -> None:
        with self._held(stream):
            connection = Connection(stream, via)
            while not self._is_closed and self._answer_one(connection):
                pass
            connection.linger()

    @contextmanager
    def _held(self, stream: socket.socket) -> Iterator[None]:
        """Know a connection while it lasts; one whose client has gone ends in silence."""
        with self._lock:
            self._connections.add(stream)
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _limit(stream, _IDLE_S)
            yield
        except OSError:
            pass  # nobody is left to be told
        finally:
            with self._lock:
                self._connections.discard(stream)
            stream.close()

    def _answer_one(self, connection: Connection) -> bool:
        try:
            request = connection.read_request()
        except BadRequest as error:
            connection.answer(None, Response(error.status, {}, str(error).encode()))
            return False
        if request is None:
            return False
        return connection.answer(request, self._safely(request))

    def _safely(self, request: Request) -> Response:
        try:
            return self._respond(request)
        except (ConnectionError, TimeoutError):
            raise  # the body could not be read
        except BadRequest as error:
            return Response(error.status, {"Content-Type": "text/plain"}, str(error).encode())
        except Exception:  # noqa: BLE001 - a fault of ours must not end the connection in silence
            _LOG.exception("%s %s", request.method, request.path)
            return Response(500, {"Content-Type": "text/plain"}, b"internal error")


def _limit(stream: socket.socket, seconds: float) -> None:
    """Let the kernel keep the time: Python would poll before each call, and wait for its lock."""
    stream.setblocking(True)
    span = struct.pack("ll", int(seconds), 0)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, span)


def _end(listener: socket.socket) -> None:
    _shut(listener)
    listener.close()


def _shut(stream: socket.socket) -> None:
    try:
        stream.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it was closed already
