"""A package index of the test's own, behind a password: a program for any Python 3.

The same program serves here and on an instance, at the same address: a lock that is made here
names URLs that hold there.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = """\
import base64, hashlib, http.server, sys
FILES, PORT, KEY, LAST = {files!r}, {port}, {key!r}, {last!r}
FILES = {{name: base64.b64decode(data) for name, data in FILES.items()}}

class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != "Basic " + KEY:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=index")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.is_closed:
            self.send_error(503)
            return
        self.server.is_closed = LAST and self.headers.get("User-Agent", "").startswith(LAST)
        name = self.path.rstrip("/").rpartition("/")[2]
        data = FILES.get(name) or self.page(name)
        self.send_response(200 if data else 404)
        kind = "application/octet-stream" if name in FILES else "text/html"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def page(self, package):
        link = '<a href="/files/%s#sha256=%s">%s</a>\\n'
        known = [n for n in FILES if n.split("-")[0].replace("_", "-") == package]
        return "".join(link % (n, hashlib.sha256(FILES[n]).hexdigest(), n) for n in known).encode()

    do_HEAD = do_GET

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Index)
server.is_closed = False
server.serve_forever()
"""


class WheelIndex:
    """The wheels in a folder, for whoever knows the password.

    ``last``: how the agent begins whose first request is the last one that is answered.
    """

    def __init__(self, wheels: Path, password: str, last: str = "") -> None:
        self.wheels, self.password, self.last = wheels, password, last
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/simple"

    @property
    def url(self) -> str:
        return f"http://reader:{self.password}@127.0.0.1:{self.port}/simple"

    @property
    def program(self) -> str:
        files = {
            path.name: base64.b64encode(path.read_bytes()).decode()
            for path in sorted(self.wheels.glob("*.whl"))
        }
        key = base64.b64encode(f"reader:{self.password}".encode()).decode()
        return PROGRAM.format(files=files, port=self.port, key=key, last=self.last)

    @contextmanager
    def served_here(self) -> Iterator[None]:
        """Serve on this machine for a while."""
        environ = {"PATH": os.environ["PATH"]}
        server = subprocess.Popen([sys.executable, "-c", self.program], env=environ)
        try:
            self._await()
            yield
        finally:
            server.kill()
            server.wait()

    def _await(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.05)
