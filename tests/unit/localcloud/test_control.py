"""The control endpoint: for whom, what can be asked, and what is answered to nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.cloud import Cloud
from runctl.localcloud.control import Control
from runctl.localcloud.gate import Gate
from runctl.localcloud.http.messages import Request, Response
from tests.unit.localcloud.conftest import START, Bytes, Rehearsal

AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


class Host:
    """A process that does nothing but remember."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.started = START
        self.done: list[str] = []

    def reset(self) -> None:
        self.done.append("reset")

    def stop(self) -> None:
        self.done.append("stop")


class Console:
    """Asks as a program does, past the network alone."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.host = Host(rehearsal.cloud)
        self._gate = Gate(rehearsal.cloud, _no_storage, Control(self.host))

    def send(
        self, method: str, target: str, body: bytes = b"", *, token: str = "token",
        via: str | None = None,
    ) -> Response:  # fmt: skip
        path, _, query = f"/_runctl/{target}".partition("?")
        headers = {"authorization": f"Bearer {token}"}
        return self._gate(Request(method, path, query, headers, Bytes(body), via))

    def ask(self, method: str, target: str, document: object = None) -> Any:
        body = b"" if document is None else json.dumps(document).encode()
        answer = self.send(method, target, body)
        assert isinstance(answer.body, bytes)
        return answer.status, json.loads(answer.body)


def _no_storage(request: Request, scope: object) -> Response:
    raise AssertionError((request, scope))


@pytest.fixture
def console(rehearsal: Rehearsal) -> Console:
    return Console(rehearsal)


def launch(rehearsal: Rehearsal, **more: Any) -> str:
    image = rehearsal.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    made = rehearsal.client("ec2").run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, **more
    )
    rehearsal.advance(5)
    return str(made["Instances"][0]["InstanceId"])


# ---------------------------------------------------------------- for whom


@pytest.mark.parametrize("target", ["status", "credentials", "faults", "nonsense"])
def test_without_the_token_nothing_is_told(console: Console, target: str) -> None:
    for token in ("", "Token", "token "):
        answer = console.send("GET", target, token=token)
        assert answer.status == 403
        assert answer.body == console.send("GET", "x", token="").body


def test_an_instance_has_no_access_even_with_the_token(console: Console) -> None:
    assert console.send("GET", "status", via="i-0abc").status == 403
    assert console.send("POST", "stop", via="i-0abc").status == 403
    assert console.host.done == []


# ---------------------------------------------------------------- nonsense


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "nonsense", b"", 404, "not-found"),
        ("GET", "", b"", 404, "not-found"),
        ("GET", "statuses", b"", 404, "not-found"),
        ("POST", "status", b"", 405, "method"),
        ("GET", "stop", b"", 405, "method"),
        ("GET", "credentials?region=mars", b"", 400, "malformed"),
        ("POST", "interrupt", b"", 400, "malformed"),
        ("POST", "interrupt", b"{", 400, "malformed"),
        ("POST", "interrupt", b'{"instance": 7}', 400, "malformed"),
        ("POST", "interrupt", b'{"instance": "i-0123456789abcdef0", "x": 1}', 400, "malformed"),
        ("POST", "interrupt", b'{"instance": "i-0123456789abcdef0"}', 404, "not-found"),
        ("POST", "interrupt", b'{"instance": "mine"}', 400, "InvalidInstanceID.Malformed"),
        ("POST", "faults", b'{"effect": "earthquake"}', 400, "malformed"),
        ("POST", "faults", b'{"effect": "delay"}', 400, "fault-refused"),
        ("POST", "faults/clear", b'{"ids": ["fault-nope"]}', 404, "not-found"),
        ("PUT", "quotas", b'{"code": "L-0", "value": 1}', 404, "not-found"),
        ("PUT", "quotas", b'{"code": "L-1216C47A", "value": -1}', 400, "malformed"),
        ("PUT", "quotas", b'{"code": "L-1216C47A", "value": null}', 400, "malformed"),
        ("PUT", "quotas", b'{"code": "L-1216C47A", "value": 1, "region": "m"}', 400, "malformed"),
        ("GET", "events?wait=soon", b"", 400, "malformed"),
        ("POST", "faults", b" " * (1 << 20) + b"{}", 413, "too-large"),
        ("POST", "faults", b"\xff\xfe", 400, "malformed"),
    ],
)
def test_nonsense_is_refused(
    console: Console, method: str, target: str, body: bytes, status: int, code: str
) -> None:
    answer = console.send(method, target, body)
    assert isinstance(answer.body, bytes)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
    assert console.host.done == []


# ---------------------------------------------------------------- what can be asked


def test_status(console: Console, rehearsal: Rehearsal) -> None:
    launch(rehearsal)
    rehearsal.advance(10)
    status, found = console.ask("GET", "status")
    assert status == 200
    assert found["instances"] == {"running": 1}
    assert found["counts"]["volumes"] == 1
    assert found["uptime_s"] == 15.0
    assert (found["tier"]["name"], found["tier"]["lacks"]) == ("paper", ["systemd"])
    assert found["memory_bytes"] > 1 << 20


def test_credentials_are_the_roots_and_stay(console: Console, rehearsal: Rehearsal) -> None:
    _, keys = console.ask("GET", "credentials")
    root = rehearsal.cloud.identity.root()
    assert keys["access_key_id"] == root["AccessKeyId"]
    assert keys == console.ask("GET", "credentials")[1]
    assert keys["endpoint"] == "http://127.0.0.1:4566"
    assert console.ask("GET", "credentials?region=eu-west-1")[1] == {**keys, "region": "eu-west-1"}


def test_stop_and_reset_reach_the_process(console: Console, rehearsal: Rehearsal) -> None:
    launch(rehearsal)
    assert console.ask("POST", "stop")[1]["instances"] == {"running": 1}
    assert console.ask("POST", "reset")[1]["instances"] == {"running": 1}
    assert console.host.done == ["stop", "reset"]


def test_a_spot_instance_is_interrupted(console: Console, rehearsal: Rehearsal) -> None:
    ident = launch(rehearsal, InstanceMarketOptions={"MarketType": "spot"})
    status, found = console.ask("POST", "interrupt", {"instance": ident, "rebalance": True})
    assert (status, found["action"]) == (200, "rebalance")
    status, found = console.ask("POST", "interrupt", {"instance": ident, "notice_s": 30.0})
    assert (status, found["action"], found["time"]) == (200, "terminate", rehearsal.jobs.now + 30)
    rehearsal.advance(40)
    described = rehearsal.client("ec2").describe_instances(InstanceIds=[ident])
    assert described["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"


def test_an_instance_on_demand_cannot_be_interrupted(
    console: Console, rehearsal: Rehearsal
) -> None:
    status, found = console.ask("POST", "interrupt", {"instance": launch(rehearsal)})
    assert (status, found["error"]["code"]) == (400, "UnsupportedOperation")


def test_faults_are_added_listed_and_cleared(console: Console) -> None:
    order = {"effect": "throttle", "service": "ec2", "count": 2}
    status, made = console.ask("POST", "faults", order)
    assert status == 200
    assert {name: made[name] for name in order} == order
    assert (made["state"], made["hits"]) == ("in-force", 0)
    assert console.ask("GET", "faults") == (200, {"faults": [made]})
    assert console.ask("POST", "faults/clear")[1]["faults"][0]["id"] == made["id"]
    assert console.ask("GET", "faults") == (200, {"faults": []})


def test_a_fault_of_an_unknown_instance_is_refused(console: Console) -> None:
    order = {"effect": "network", "instance": "i-0123456789abcdef0"}
    assert console.ask("POST", "faults", order)[0] == 404
    assert console.ask("GET", "faults") == (200, {"faults": []})


def test_a_quota_is_set(console: Console, rehearsal: Rehearsal) -> None:
    order = {"code": "L-1216C47A", "value": 3.0, "region": "us-east-1"}
    assert console.ask("PUT", "quotas", order) == (200, order)
    found = rehearsal.client("service-quotas").get_service_quota(
        ServiceCode="ec2", QuotaCode="L-1216C47A"
    )
    assert found["Quota"]["Value"] == 3.0


# ---------------------------------------------------------------- events


def test_events_go_on_from_a_cursor(console: Console, rehearsal: Rehearsal) -> None:
    rehearsal.cloud.journal.note("first", a=1)
    _, page = console.ask("GET", "events")
    assert page["events"] == [{"time": START, "event": "first", "a": 1}]
    _, empty = console.ask("GET", f"events?cursor={page['cursor']}")
    assert empty == {"events": [], "cursor": page["cursor"]}
    rehearsal.cloud.journal.note("second")
    _, following = console.ask("GET", f"events?cursor={page['cursor']}")
    assert [one["event"] for one in following["events"]] == ["second"]


def test_older_events_are_left_out(console: Console, rehearsal: Rehearsal) -> None:
    rehearsal.cloud.journal.note("old")
    rehearsal.advance(60)
    rehearsal.cloud.journal.note("new")
    _, page = console.ask("GET", f"events?since={START + 30}")
    assert [one["event"] for one in page["events"]] == ["new"]


def test_no_event_is_lost_when_the_file_is_full(
    console: Console, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runctl.localcloud.journal._LIMIT_BYTES", 2000)
    cursor, read = "", []
    for number in range(100):
        rehearsal.cloud.journal.note("counted", number=number)
        if number % 7 == 0:
            _, page = console.ask("GET", f"events?cursor={cursor}")
            read += page["events"]
            cursor = page["cursor"]
    while True:
        _, page = console.ask("GET", f"events?cursor={cursor}")
        read += page["events"]
        if page["cursor"] == cursor:
            break
        cursor = page["cursor"]
    assert [one["number"] for one in read] == list(range(100))
