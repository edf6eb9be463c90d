"""Instances of a local cloud for tests of what reaches them, and the account that made them."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import boto3

from runctl.aws.account import Account
from runctl.aws.depot import Depot
from runctl.transports.instances import Ways
from runctl.transports.ssh import SshTransport
from runctl.transports.ssh_target import SshTarget
from tests.fidelity.world import CloudWorld
from tests.localcloud.process import CloudProcess

PATIENCE_S = 150.0
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


class CloudAccount(Account):
    """An account whose clients speak with a local cloud, whatever the environment says."""

    def __init__(self, session: boto3.Session) -> None:
        super().__init__("us-east-1")
        self._own = session

    @property
    def _session(self) -> boto3.Session:
        return self._own


@dataclass
class Rig:
    """One instance that is Online, a bucket, and how both are reached."""

    cloud: CloudProcess

    @cached_property
    def world(self) -> CloudWorld:
        return CloudWorld(self.cloud.session())

    @cached_property
    def account(self) -> Account:
        return CloudAccount(self.cloud.session())

    @cached_property
    def depot(self) -> Depot:
        return Depot(self.account, f"s3://{self.world.bucket}/owner")

    @contextmanager
    def ssh_target(self, folder: Path) -> Iterator[SshTarget]:
        """Launch an instance with a key pair; give what reaches it, its host key pinned."""
        ec2, name = self.world.client("ec2"), self.world.name("pair")
        identity = folder / "identity"
        identity.write_text(ec2.create_key_pair(KeyName=name)["KeyMaterial"])
        identity.chmod(0o600)
        ident = self.launch(KeyName=name)
        with tempfile.TemporaryDirectory(dir="/tmp") as sockets:
            try:
                target = self._target(ident, identity, Path(sockets))
                yield target
                exits = [*target.argv()[:-2], "-O", "exit", "--", target.host]
                subprocess.run(exits, capture_output=True, check=False)
            finally:
                ec2.terminate_instances(InstanceIds=[ident])
                ec2.delete_key_pair(KeyName=name)

    def launch(self, **parameters: Any) -> str:
        """Launch a small instance; return its id once it runs."""
        ec2 = self.world.client("ec2")
        usual = {"ImageId": self.world.image, "InstanceType": "t3.micro"}
        [made] = ec2.run_instances(MinCount=1, MaxCount=1, **usual | parameters)["Instances"]
        waiter = ec2.get_waiter("instance_running")
        waiter.wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return str(made["InstanceId"])

    def await_online(self, ident: str) -> None:
        """Wait until Systems Manager reaches an instance."""
        ssm, deadline = self.world.client("ssm"), time.monotonic() + PATIENCE_S
        asked = [{"Key": "InstanceIds", "Values": [ident]}]
        while not ssm.describe_instance_information(Filters=asked)["InstanceInformationList"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def _target(self, ident: str, identity: Path, sockets: Path) -> SshTarget:
        found = self.ways(identity.parent, "ssh").reach(ident)
        assert isinstance(found, SshTransport)
        port = 22 if self.cloud.ready["tier"] == "root" else 2222
        return replace(found.target, port=port, identity=identity, control_folder=sockets)

    @cached_property
    def ubuntu(self) -> str:
        """The image of Ubuntu 24.04, which has a Python of 3.11 or newer."""
        answer = self.world.client("ssm").get_parameter(Name=UBUNTU)
        return str(answer["Parameter"]["Value"])

    def ways(self, folder: Path, forced: Literal["auto", "ssm", "ssh"] = "auto") -> Ways:
        return Ways(self.account, self.depot, folder / "hosts", folder, forced)

    def running(self) -> list[str]:
        wanted = [{"Name": "instance-state-name", "Values": ["running"]}]
        found = self.world.client("ec2").describe_instances(Filters=wanted)["Reservations"]
        return [one["InstanceId"] for group in found for one in group["Instances"]]

    def objects(self) -> list[str]:
        found = self.world.client("s3").list_objects_v2(Bucket=self.world.bucket)
        return [one["Key"] for one in found.get("Contents", [])]
