"""An instance that has a keeper, rented with the provider; what boto3 alone knows of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runctl.model.wish import InstanceWish
from runctl.providers.api import Surroundings
from runctl.providers.aws.provider import AwsProvider
from tests.cloud_instances import Rig

PATIENCE_S = 90.0
STATE = "/var/lib/runctl-keeper"
_OVER = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})


@dataclass(frozen=True)
class Kept:
    """``rented_at``: on the monotonic clock, just before it was asked for."""

    rig: Rig
    instance_id: str
    rented_at: float

    def described(self) -> dict[str, Any]:
        told = self.rig.world.client("ec2").describe_instances(InstanceIds=[self.instance_id])
        found: dict[str, Any] = told["Reservations"][0]["Instances"][0]
        return found

    def console(self) -> str:
        told = self.rig.world.client("ec2").get_console_output(InstanceId=self.instance_id)
        return str(told.get("Output", ""))

    def is_gone(self) -> bool:
        return self.described()["State"]["Name"] in ("shutting-down", "terminated")

    def await_words(self, words: str) -> None:
        self.until(lambda: words in self.console(), words)

    def await_end(self, why: str, timeout_s: float = PATIENCE_S) -> float:
        """Wait until it has switched itself off; return how long it has lived."""
        self.until(self.is_gone, f"it ends: {why}", timeout_s)
        lived_s = time.monotonic() - self.rented_at
        self.until(lambda: self.described()["State"]["Name"] == "terminated", "it is terminated")
        told = self.described()
        assert told["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown", told
        assert f"runctl-keeper: ending: {why}" in self.console(), self.console()
        return lived_s

    def until(self, is_so: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.console()}"
            time.sleep(0.2)

    # -- as root, over Systems Manager

    def await_online(self) -> None:
        ssm = self.rig.world.client("ssm")
        asked = [{"Key": "InstanceIds", "Values": [self.instance_id]}]

        def is_online() -> bool:
            listed = ssm.describe_instance_information(Filters=asked)["InstanceInformationList"]
            return bool(listed) and listed[0]["PingStatus"] == "Online"

        self.until(is_online, "it is Online")

    def sh(self, script: str) -> str:
        """Run a script; return what it printed."""
        self.await_online()
        ssm = self.rig.world.client("ssm")
        sent = ssm.send_command(
            InstanceIds=[self.instance_id],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": [script]},
        )["Command"]["CommandId"]
        asked = {"CommandId": sent, "InstanceId": self.instance_id}

        def is_over() -> bool:
            [told] = ssm.list_command_invocations(**asked)["CommandInvocations"] or [{}]
            return told.get("Status") in _OVER

        self.until(is_over, script)
        told = ssm.get_command_invocation(**asked)
        assert told["Status"] == "Success", told
        return str(told["StandardOutputContent"])

    def keeper_pids(self) -> list[str]:
        # Without its brackets the pattern would find the very shell that looks for it.
        return self.sh(f"pgrep -f '[s]h {STATE}/keeper.sh keep' || true").split()


def rent(rig: Rig, owner: str, token: str, **wished: Any) -> Kept:
    """Rent an instance as the wish has it, on which commands can be run."""

    def ways() -> Any:
        return rig.ways(rig.cloud.folder / "of-test")

    wish = InstanceWish(types=("t3.micro",), instance_profile=rig.world.profile, **wished)
    provider = AwsProvider(Surroundings(lambda: rig.account, lambda: owner, ways))
    rented_at = time.monotonic()
    instance = provider.create(provider.offers(wish)[0], wish, token)
    return Kept(rig, instance.instance_id, rented_at)


def image_with_systemd(rig: Rig) -> str:
    name = "runctl-rehearsal/ubuntu-24.04-amd64-systemd"
    asked = [{"Name": "name", "Values": [name]}]
    [found] = rig.world.client("ec2").describe_images(Filters=asked)["Images"]
    return str(found["ImageId"])


def owner_of(stdout: bytes) -> str:
    """Return the owner id from what ``runctl init -o json`` prints."""
    return str(json.loads(stdout)["owner"])
