"""Instances that go away under a command: an error that says so, and never a hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runctl.errors import TransportError
from runctl.transports.api import Transport
from runctl.transports.ssh import SshTransport
from runctl.transports.ssm import SsmTransport
from tests.cloud_instances import Rig
from tests.fidelity.world import wait_until
from tests.localcloud.conftest import NewCloud

pytestmark = pytest.mark.slow
LONG = ["sh", "-c", "echo $$ > /tmp/began; exec sleep 600"]


@pytest.fixture
def rig(new_cloud: NewCloud) -> Iterator[Rig]:
    cloud = new_cloud()
    cloud.start()
    made = Rig(cloud)
    yield made
    assert made.world.end() == []


def _failure(transport: Transport, disturb: Callable[[], object]) -> TransportError:
    """Return how a long command fails when something happens in its midst."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            transport.exec(LONG, stdin=b"input")
        except TransportError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: _has_begun(transport), "the command never began", 60.0)
    disturb()
    thread.join(120.0)
    assert not thread.is_alive(), "it hangs"
    [error] = found
    assert isinstance(error, TransportError)
    return error


def _has_begun(transport: Transport) -> bool:
    return transport.exec(["test", "-s", "/tmp/began"]).status == 0


def _cut(rig: Rig, ident: str) -> None:
    rig.cloud.control("POST", "faults", {"effect": "network", "instance": ident})


def test_systems_manager_and_an_instance_that_is_terminated(rig: Rig) -> None:
    ident = rig.world.instance
    end = rig.world.client("ec2").terminate_instances
    transport = SsmTransport(rig.account, ident, rig.depot)
    error = _failure(transport, lambda: end(InstanceIds=[ident]))
    assert ident in error.message
    assert rig.objects() == []


def test_systems_manager_and_a_network_that_is_cut(rig: Rig) -> None:
    ident = rig.world.instance
    error = _failure(SsmTransport(rig.account, ident, rig.depot), lambda: _cut(rig, ident))
    assert "was lost while a command ran" in error.message
    assert "aws ssm describe-instance-information" in str(error.hint)
    assert rig.objects() == []


def test_ssh_and_an_instance_that_is_terminated(rig: Rig, tmp_path: Path) -> None:
    end = rig.world.client("ec2").terminate_instances
    with rig.ssh_target(tmp_path) as target:
        [ident] = rig.running()
        _failure(SshTransport(target), lambda: end(InstanceIds=[ident]))


def test_ssh_and_a_network_that_is_cut_and_mended(rig: Rig, tmp_path: Path) -> None:
    with rig.ssh_target(tmp_path) as target:
        [ident] = rig.running()
        transport = SshTransport(target)
        _failure(transport, lambda: _cut(rig, ident))
        rig.cloud.control("POST", "faults/clear")
        assert transport.exec(["true"]).status == 0
