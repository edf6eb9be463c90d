"""The transports to instances, held to the contract on instances of the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.errors import TransportError
from runctl.testing.transports import TransportContract
from runctl.transports.api import Transport
from runctl.transports.ssm import SsmTransport
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    made = Rig(local_cloud)
    yield made
    assert made.world.end() == []


class TestSsmTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _instance(self, rig: Rig) -> None:
        self.rig = rig

    def make_transport(self) -> Transport:
        return SsmTransport(self.rig.account, self.rig.world.instance, self.rig.depot)

    def remote_folder(self, folder: Path) -> str:
        made = self.make_transport().exec(["mktemp", "-d"])
        return made.stdout.decode().strip()

    def test_a_command_belongs_to_the_login_user(self, transport: Transport) -> None:
        script = 'id -un; echo "$HOME"; pwd; ps -o sid= -o pgid= -p $$ | tr -s " "'
        told = transport.exec(["sh", "-c", script]).stdout.decode().split("\n")
        assert told[:3] == ["ec2-user", "/home/ec2-user", "/home/ec2-user"]
        session, group = told[3].split()
        assert session == group

    def test_arguments_too_long_for_a_script_arrive(self, transport: Transport) -> None:
        words = ["x" * 60_000, "'" * 30_000]
        done = transport.exec(["printf", "%s\n", *words])
        assert done.stdout.decode().split("\n") == [*words, ""]

    def test_nothing_is_left_in_the_store_or_on_the_instance(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        listing = ["sh", "-c", "ls -d /tmp/tmp.*/arguments"]
        transport.exec(["cat"], stdin=b"x" * 100_000)
        with pytest.raises(TransportError):
            transport.exec(["absent-command"], stdin=b"x")
        with pytest.raises(TransportError):
            transport.get("/absent", tmp_path / "a")
        assert self.rig.objects() == []
        assert len(transport.exec(listing).stdout.split()) <= 1  # that of the listing itself

    def test_an_instance_that_is_not_there_is_told_with_what_to_look_at(self, rig: Rig) -> None:
        transport = SsmTransport(rig.account, "i-0123456789abcdef0", rig.depot)
        with pytest.raises(TransportError, match="not Online") as error:
            transport.exec(["true"])
        assert str(error.value.hint).startswith("runctl aws check")
        assert rig.objects() == []
