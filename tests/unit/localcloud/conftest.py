"""A local cloud without sockets, threads or time: botocore's own client speaks to its API."""

from __future__ import annotations

import functools
import heapq
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import botocore.awsrequest
import botocore.config
import botocore.session
import pytest

from runctl.localcloud import services
from runctl.localcloud.api import Api
from runctl.localcloud.cloud import Cloud
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.place import Place, Stamp
from tests.unit.localcloud.paper import PaperTier

REGION = "us-east-1"
START = 1_800_000_000.0
ACCOUNT = "123456789012"
ROOT = Principal("AKIAROOT", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
SESSION = botocore.session.Session()  # one for all: it keeps the models that it has read


class Bytes:
    """A request's body that is there already."""

    def __init__(self, data: bytes) -> None:
        self.length: int | None = len(data)
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self._file.readinto(buffer)


class HandTurnedJobs:
    """Jobs that are done when the test turns the clock."""

    def __init__(self) -> None:
        self.now = START
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._locks: dict[str, Lock] = {}

    def soon(self, work: Callable[[], None]) -> None:
        self.later(0.0, work)

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (self.now + delay_s, next(self._numbers), work))

    def alone(self, name: str) -> Lock:
        return self._locks.setdefault(name, Lock())

    def forget(self, name: str) -> None:
        self._locks.pop(name, None)

    def advance(self, seconds: float) -> None:
        """Turn the clock; do everything that is due on the way."""
        end = self.now + seconds
        while self._waiting and self._waiting[0][0] <= end:
            due, _, work = heapq.heappop(self._waiting)
            self.now = max(self.now, due)
            work()
        self.now = end

    def close(self) -> None:
        self._waiting.clear()


class Rehearsal:
    """A cloud in a folder, and clients for it."""

    def __init__(self, folder: Path) -> None:
        self.jobs = HandTurnedJobs()
        self.tier = PaperTier()
        self._place = Place(folder, Stamp(id="0abc", account=ACCOUNT, token="token", port=4566))
        self._lines: dict[tuple[str, str, Principal | None], Line] = {}
        self.cloud = self._open()

    def _open(self) -> Cloud:
        services.load()
        cloud = Cloud(
            self._place,
            self.tier,  # type: ignore[arg-type]
            clock=lambda: self.jobs.now,
            jobs=self.jobs,  # type: ignore[arg-type]
        )
        self._api = Api(cloud)
        return cloud

    def restart(self) -> None:
        """End the cloud's process, and begin it again."""
        self.cloud.close()
        self.cloud = self._open()
        self.cloud.resume()

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and what is due happen."""
        self.jobs.advance(seconds)

    def client(self, service: str, region: str = REGION, caller: Principal | None = None) -> Any:
        """Return botocore's client, whose requests go through no socket and need no signature."""
        known = self._lines.get((service, region, caller))
        if known is None:
            alike = sum(key[:2] == (service, region) for key in self._lines)
            known = self._lines[service, region, caller] = _line(service, region, alike)
        known.answer = functools.partial(self._answer, region, caller or ROOT)
        return known.client

    def _answer(self, region: str, caller: Principal, service: str, message: Request) -> Response:
        return self._api.respond(message, service, region, caller)


class Line:
    """A client, and who answers it now: to make one takes longer than most tests do."""

    answer: Callable[[str, Request], Response]

    def __init__(self, service: str, region: str) -> None:
        self.client = SESSION.create_client(
            service,
            region_name=region,
            endpoint_url="http://127.0.0.1:4566",
            aws_access_key_id="AKIAUNUSED",
            aws_secret_access_key="unused",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        self._name = self.client.meta.service_model.signing_name
        self.client.meta.events.register("before-send", self._send)

    def _send(self, request: Any, **_: object) -> Any:
        parts = urlsplit(request.url)
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        message = Request(request.method, parts.path or "/", parts.query, headers, Bytes(data))
        answer = self.answer(self._name, message)
        assert isinstance(answer.body, bytes)
        raw = Raw(answer.body)
        return botocore.awsrequest.AWSResponse(request.url, answer.status, answer.headers, raw)


@functools.cache
def _line(service: str, region: str, number: int) -> Line:
    """Return a line that all tests share; ``number`` tells equal ones apart."""
    del number
    return Line(service, region)


class Raw(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    made = Rehearsal(tmp_path)
    yield made
    made.cloud.close()
