"""The transports to instances, held to the contract on instances of the local cloud."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runctl.aws.commands import run_script
from runctl.errors import (
    AuthError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    RefusedError,
    TransportError,
)
from runctl.testing.transports import TransportContract
from runctl.transports.api import Transport
from runctl.transports.host_keys import pin
from runctl.transports.ssh import SshTransport
from runctl.transports.ssh_target import SshTarget
from runctl.transports.ssm import SsmTransport
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    made = Rig(local_cloud)
    yield made
    assert made.world.end() == []


@pytest.fixture(scope="module")
def target(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshTarget]:
    """How to reach an instance that has a key pair, and no rights at all."""
    with rig.ssh_target(tmp_path_factory.mktemp("ssh")) as made:
        yield made


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

    def test_streams_may_be_opened_again_by_name(self, transport: Transport) -> None:
        script = "echo a >&2; echo b >/dev/stderr; echo c >/dev/stdout; cat /dev/stdin; env"
        done = transport.exec(["sh", "-c", script], stdin=b"d\n")
        assert done.stderr == b"a\nb\n"
        assert done.stdout.startswith(b"c\nd\n")
        assert b"runctl_" not in done.stdout

    def test_arguments_too_long_for_a_script_arrive(self, transport: Transport) -> None:
        words = ["x" * 60_000, "'" * 30_000]
        done = transport.exec(["printf", "%s\n", *words])
        assert done.stdout.decode().split("\n") == [*words, ""]

    def test_nothing_is_left_in_the_store_or_on_the_instance(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        listing = ["sh", "-c", "ls -d /tmp/tmp.*/own"]
        transport.exec(["cat"], stdin=b"x" * 100_000)
        with pytest.raises(TransportError):
            transport.exec(["absent-command"], stdin=b"x")
        with pytest.raises(TransportError):
            transport.get("/absent", tmp_path / "a")
        assert self.rig.objects() == []
        assert len(transport.exec(listing).stdout.split()) <= 1  # that of the listing itself

    def test_a_store_that_cannot_be_reached_is_told(self, transport: Transport) -> None:
        fault = {"effect": "error", "service": "s3", "operation": "PutObject",
                 "code": "AccessDenied", "status": 403}  # fmt: skip
        self.rig.cloud.control("POST", "faults", fault)
        try:
            with pytest.raises(TransportError, match="the output cannot pass through the store"):
                transport.exec(["head", "-c", "100000", "/dev/zero"])
        finally:
            self.rig.cloud.control("POST", "faults/clear")

    def test_an_instance_that_is_not_there_is_told_with_what_to_look_at(self, rig: Rig) -> None:
        transport = SsmTransport(rig.account, "i-0123456789abcdef0", rig.depot)
        with pytest.raises(TransportError, match="not Online") as error:
            transport.exec(["true"])
        assert str(error.value.hint).startswith("aws ssm describe-instance-information")
        assert rig.objects() == []


ANOTHER = """
cp /etc/passwd /root/passwd && mkdir -p /home/another
echo 'another:x:1001:1001::/home/another:/bin/bash' >> /etc/passwd
"""
CLOUD_CFG = """
mkdir -p /etc/cloud && cat > /etc/cloud/cloud.cfg <<'END'
users:
   - default
system_info:
   # of the distribution
   default_user:
     lock_passwd: true
     name: "ec2-user"
     groups: [adm]
   network:
     name: another
END
"""
AS_BEFORE = "cp /root/passwd /etc/passwd; rm -r /home/another /etc/cloud/cloud.cfg"


def test_the_login_user_is_the_one_that_cloud_init_names_and_never_guessed(rig: Rig) -> None:
    ident = rig.world.instance
    transport = SsmTransport(rig.account, ident, rig.depot)
    try:
        run_script(rig.account, ident, ANOTHER)
        with pytest.raises(TransportError, match="2 accounts"):
            transport.exec(["id", "-un"])
        run_script(rig.account, ident, CLOUD_CFG)
        assert transport.exec(["id", "-un"]).stdout == b"ec2-user\n"
    finally:
        run_script(rig.account, ident, AS_BEFORE)


def alias_of(target: SshTarget) -> str:
    [option] = target.options
    return option.partition("=")[2]


def test_what_an_instance_has_decides_how_it_is_reached(
    rig: Rig, target: SshTarget, tmp_path: Path
) -> None:
    ways = rig.ways(tmp_path)
    with_profile, with_key = rig.world.instance, alias_of(target)
    assert isinstance(ways.reach(with_profile), SsmTransport)
    found = ways.reach(with_key)
    assert isinstance(found, SshTransport)
    assert found.target.user == "ec2-user"
    assert found.target.known_hosts.read_text() == target.known_hosts.read_text()
    assert isinstance(replace(ways, forced="ssm").reach(with_key), SsmTransport)
    with pytest.raises(NotFoundError):
        ways.reach("i-0123456789abcdef0")


def test_an_instance_that_has_nothing_to_be_reached_with_is_told(rig: Rig, tmp_path: Path) -> None:
    ident = rig.launch()
    try:
        ways = rig.ways(tmp_path)
        with pytest.raises(ConflictError, match="neither an instance profile nor a key pair"):
            ways.reach(ident)
    finally:
        rig.world.client("ec2").terminate_instances(InstanceIds=[ident])


class TestSshTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _target(self, target: SshTarget) -> None:
        self.target = target

    def make_transport(self) -> Transport:
        return SshTransport(self.target)

    def remote_folder(self, folder: Path) -> str:
        made = self.make_transport().exec(["mktemp", "-d"])
        return made.stdout.decode().strip()

    def test_a_command_belongs_to_the_login_user(self, transport: Transport) -> None:
        done = transport.exec(["sh", "-c", 'id -un; echo "$HOME"'])
        assert done.stdout == b"ec2-user\n/home/ec2-user\n"

    def test_a_status_of_255_is_not_taken_for_a_fault_of_ssh(self, transport: Transport) -> None:
        assert transport.exec(["sh", "-c", "exit 255"]).status == 255

    def test_attach_shows_what_comes_and_nothing_of_the_wrapper(
        self, transport: Transport, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert transport.attach(["sh", "-c", "echo out; printf 'one\ntwo' >&2"]) == 0
        assert capfd.readouterr() == ("out\n", "one\ntwo")

    def test_a_connection_that_died_is_made_anew(self, transport: Transport) -> None:
        assert transport.exec(["true"]).status == 0
        asked = [*self.target.argv()[:-2], "-O", "check", "--", self.target.host]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stderr
        os.kill(int(told.partition("pid=")[2].partition(")")[0]), signal.SIGKILL)
        assert transport.exec(["true"]).status == 0

    def test_another_host_key_is_refused(self, tmp_path: Path) -> None:
        other = tmp_path / "known"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True
        )
        kind, key, *_ = (tmp_path / "key.pub").read_text().split()
        pin(other, alias_of(self.target), [f"{kind} {key}"], "u")
        alone = replace(self.target, known_hosts=other, control_folder=None)
        with pytest.raises(IntegrityError, match="another host key"):
            SshTransport(alone).exec(["true"])

    def test_a_host_key_that_is_not_pinned_is_refused(self, tmp_path: Path) -> None:
        pin(tmp_path / "known", alias_of(self.target), [], "u")
        alone = replace(self.target, known_hosts=tmp_path / "known", control_folder=None)
        with pytest.raises(RefusedError, match="no host key"):
            SshTransport(alone).exec(["true"])
        assert (tmp_path / "known").read_bytes() == b"# user u\n"

    def test_a_key_that_opens_nothing_and_a_port_that_is_shut_are_told(
        self, tmp_path: Path
    ) -> None:
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        alone = replace(self.target, control_folder=None)
        with pytest.raises(AuthError, match="Permission denied"):
            SshTransport(replace(alone, identity=key)).exec(["true"])
        with pytest.raises(TransportError, match="Connection refused"):
            SshTransport(replace(alone, port=1)).exec(["true"])
