"""A notice in the metadata of a spot instance: an order with a deadline, and told once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runctl.agent.interruption import NoticeWatch
from runctl.agent.journal import Journal
from runctl.agent.metadata import ENDPOINT, Metadata
from runctl.agent.orders import Orders
from runctl.model.events import Cause, InterruptionNoticed, Warned
from runctl.store.ledger import Ledger
from tests.records import NOW, RUN_ID, FakeClock
from tests.stores import MemoryObjects

META = "/latest/meta-data/"
ACTION = META + "spot/instance-action"
REBALANCE = META + "events/recommendations/rebalance"


class Service(HTTPServer):
    """The metadata service: ``tree`` is what stands there; it counts the tokens that it gives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tree: dict[str, str] = {}
        self.tokens = 0
        self.refusals: list[tuple[int, str]] = []  # what is answered in place of tokens

    def metadata(self) -> Metadata:
        return Metadata({ENDPOINT: f"http://127.0.0.1:{self.server_port}/", "http_proxy": "no://"})


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        if self.server.refusals:
            self._answer(*self.server.refusals.pop())
            return
        self.server.tokens += 1
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._answer(200, f"token-{self.server.tokens}")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != f"token-{self.server.tokens}":
            self._answer(401, "")
            return
        found = self.server.tree.get(self.path)
        self._answer(404 if found is None else 200, found or "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", Ledger(MemoryObjects()), RUN_ID, 1, FakeClock())


def give_notice(service: Service, left_s: float) -> None:
    ends_at = f"{NOW + timedelta(seconds=left_s):%Y-%m-%dT%H:%M:%SZ}"
    service.tree[ACTION] = json.dumps({"action": "terminate", "time": ends_at, "new": 1})


def test_a_notice_is_an_order_with_a_deadline(service: Service, journal: Journal) -> None:
    orders = Orders()
    watch = NoticeWatch(service.metadata(), journal, orders, FakeClock())
    assert (watch.look(), orders.current, journal.bodies) == (False, None, [])
    give_notice(service, 100)
    assert watch.look()
    order = orders.current
    assert order is not None
    assert order.cause is Cause.INTERRUPTED
    assert order.deadline is not None
    assert 85 < order.deadline - time.monotonic() < 95
    [told] = journal.bodies
    assert isinstance(told, InterruptionNoticed)
    assert (told.action, told.ends_at) == (
        "terminate",
        (NOW + timedelta(seconds=100)).replace(microsecond=0),
    )
    assert service.tokens == 1


def test_an_agent_that_comes_back_tells_a_notice_no_second_time(
    service: Service, journal: Journal
) -> None:
    give_notice(service, 100)
    for _ in range(2):
        orders = Orders()
        assert NoticeWatch(service.metadata(), journal, orders, FakeClock()).look()
        assert orders.is_given()
    assert len(journal.bodies) == 1


def test_a_clock_that_is_wrong_cuts_nothing_off(service: Service, journal: Journal) -> None:
    orders = Orders()
    give_notice(service, -500)
    assert NoticeWatch(service.metadata(), journal, orders, FakeClock()).look()
    assert orders.current is not None
    assert orders.current.deadline is None
    late = Orders()
    give_notice(service, 10_000)
    assert NoticeWatch(service.metadata(), journal, late, FakeClock()).look()
    assert late.current is not None
    assert late.current.deadline is not None
    assert late.current.deadline - time.monotonic() <= 120


def test_advice_to_leave_is_told_once_and_ends_nothing(service: Service, journal: Journal) -> None:
    orders = Orders()
    watch = NoticeWatch(service.metadata(), journal, orders, FakeClock())
    service.tree[REBALANCE] = '{"noticeTime": "2026-03-01T12:00:00Z"}'
    assert not watch.look()
    assert not watch.look()
    assert [body.code for body in journal.bodies if isinstance(body, Warned)] == ["rebalance"]
    assert not orders.is_given()


def test_a_token_that_is_refused_is_renewed(service: Service, journal: Journal) -> None:
    watch = NoticeWatch(service.metadata(), journal, Orders(), FakeClock())
    assert not watch.look()
    service.tokens += 1  # what was given before is good no more
    give_notice(service, 100)
    assert watch.look()


@pytest.mark.parametrize("refusal", [(503, "<?xml?>\n<html>busy</html>"), (200, "<html>\n</html>")])
def test_an_answer_that_is_no_token_is_asked_for_again(
    service: Service, journal: Journal, refusal: tuple[int, str]
) -> None:
    service.refusals = [refusal]
    give_notice(service, 100)
    watch = NoticeWatch(service.metadata(), journal, Orders(), FakeClock())
    assert not watch.look()
    assert watch.look()


def test_what_does_not_answer_is_asked_again(journal: Journal) -> None:
    orders = Orders()
    nobody = Metadata({ENDPOINT: "http://127.0.0.1:1"})
    assert not NoticeWatch(nobody, journal, orders, FakeClock()).look()
    assert not orders.is_given()


@pytest.mark.parametrize("text", ["none", "", '{"action": "terminate"}'])
def test_what_is_no_notice_ends_nothing(service: Service, journal: Journal, text: str) -> None:
    service.tree[ACTION] = text
    orders = Orders()
    assert not NoticeWatch(service.metadata(), journal, orders, FakeClock()).look()
    assert not orders.is_given()
