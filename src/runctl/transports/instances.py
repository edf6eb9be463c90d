"""Which way leads to an instance of EC2: what it has decides, unless one is forced."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runctl.aws.account import Account
from runctl.aws.commands import is_online, run_script
from runctl.aws.console import console_text
from runctl.aws.depot import Depot
from runctl.aws.errors import translated
from runctl.errors import ConflictError, NotFoundError, RefusedError
from runctl.transports import host_keys
from runctl.transports.ssh import SshTransport
from runctl.transports.ssh_target import SshTarget
from runctl.transports.ssm import SsmTransport

CONSOLE_S, CONSOLE_PAUSE_S = 30.0, 0.5
"""How long host keys are waited for: on Nitro they are there as soon as cloud-init prints them."""


@dataclass(frozen=True)
class Ways:
    """How the instances of an account may be reached; ``folder`` keeps the pinned host keys."""

    account: Account
    depot: Depot
    folder: Path
    home: Path
    forced: Literal["auto", "ssm", "ssh"] = "auto"

    def reach(self, instance_id: str) -> SsmTransport | SshTransport:
        """Return a way: Systems Manager if it has a profile, else SSH if it has a key pair.

        Raises NotFoundError, ConflictError if it has neither, and RefusedError if the host keys
        cannot be known.
        """
        instance = self._describe(instance_id)
        if self._is_managed(instance):
            return SsmTransport(self.account, instance_id, self.depot)
        return self._reach_by_key(instance_id, instance)

    def silence_of(self, instance_id: str) -> str | None:
        """Return why no command can be sent yet; None once it has answered one.

        Raises as ``reach``, and TransportError where it does not answer.
        """
        instance = self._describe(instance_id)
        if not self._is_managed(instance):
            done = self._reach_by_key(instance_id, instance).exec(["true"])
            return None if done.status == 0 else f"true ends there with status {done.status}"
        if not is_online(self.account, instance_id):
            return "Systems Manager has not heard of it"
        run_script(self.account, instance_id, "true")
        return None

    def _is_managed(self, instance: Mapping[str, Any]) -> bool:
        has_profile = "IamInstanceProfile" in instance
        return self.forced == "ssm" or (self.forced == "auto" and has_profile)

    def _reach_by_key(self, instance_id: str, instance: Mapping[str, Any]) -> SshTransport:
        if self.forced == "auto" and "KeyName" not in instance:
            raise ConflictError(
                f"{instance_id} has neither an instance profile nor a key pair to be reached with",
                hint="aws ec2 associate-iam-instance-profile …, of one that allows it",
            )
        return SshTransport(self._target(instance_id, instance))

    def _describe(self, instance_id: str) -> Mapping[str, Any]:
        with translated(f"{instance_id} cannot be described"):
            answer = self.account.client("ec2").describe_instances(InstanceIds=[instance_id])
        for group in answer["Reservations"]:
            for one in group["Instances"]:
                found: Mapping[str, Any] = one
                return found
        raise NotFoundError(f"there is no instance {instance_id}", hint="runctl aws list")

    def _target(self, instance_id: str, instance: Mapping[str, Any]) -> SshTarget:
        host = instance.get("PublicIpAddress") or instance.get("PrivateIpAddress")
        if not host:
            raise ConflictError(
                f"{instance_id} has no address: it is {instance['State']['Name']}",
                hint=f"runctl aws wait {instance_id} --for running",
            )
        known = self.folder / instance_id
        return SshTarget(
            host,
            host_keys.pinned_user(known) or self._pin(instance_id, instance, known),
            known,
            identity=self._identity(instance.get("KeyName")),
            control_folder=host_keys.control_folder(os.environ, os.getuid()),
            options=(f"HostKeyAlias={instance_id}",),
        )

    def _pin(self, instance_id: str, instance: Mapping[str, Any], known: Path) -> str:
        """Pin what the console shows; return the login user."""
        end = time.monotonic() + CONSOLE_S
        while True:
            text = console_text(self.account, instance_id)
            keys, user = host_keys.read_console(text), host_keys.read_login(text)
            if keys and user:
                host_keys.pin(known, instance_id, keys, user)
                return user
            if time.monotonic() > end:
                raise _unseen(instance_id, instance)
            time.sleep(CONSOLE_PAUSE_S)

    def _identity(self, key_name: str | None) -> Path | None:
        """Return the key pair's file, if it lies where it usually does; else ssh's own are used."""
        names = (f"{key_name}.pem", key_name) if key_name and "/" not in key_name else ()
        places = (self.home / ".ssh" / name for name in names)
        return next((place for place in places if place.is_file()), None)


def _unseen(instance_id: str, instance: Mapping[str, Any]) -> RefusedError:
    has_key = "KeyName" in instance
    why = "" if has_key else "; it was launched without a key pair, so that nothing may log in"
    return RefusedError(
        f"the console of {instance_id} does not show its host keys and its login user, "
        f"and none is accepted unseen{why}",
        hint="runctl config set --user aws.transport ssm"
        if has_key
        else "runctl ssh without --config and --transport ssh; or runctl aws create --key-name …",
    )
