"""A user of a cloud with the installed ``runctl``; what it has left is seen with boto3."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from tests.scene import DIGITS, RUNCTL, Scene

REGION = "us-east-1"
LIVING = ["pending", "running", "stopping", "stopped"]
PATIENCE_S = 240.0
_OF_AWS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def aws_environment() -> dict[str, str]:
    """Return what leads programs to the account that is signed in here."""
    return {name: os.environ[name] for name in _OF_AWS if name in os.environ}


class Trainee(Scene):
    """``port`` is where sshd of instances listens, which on AWS is 22."""

    def __init__(
        self, folder: Path, session: boto3.Session, environ: Mapping[str, str], port: int
    ) -> None:
        super().__init__(folder)
        self.env |= {**environ, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        self.session, self.port = session, port
        self.ec2, self.s3 = session.client("ec2"), session.client("s3")
        self.told("aws", "setup", "--yes", "--ssh-from", "0.0.0.0/0")
        self.owner = str(self.told("init")["owner"])

    def bring_digits(self) -> None:
        """Bring the digits example, with the requirements that an instance installs."""
        shutil.copytree(DIGITS, self.project, dirs_exist_ok=True)

    def told(self, *words: str) -> Any:
        """Type a command that succeeds; return its JSON."""
        done = self.type("--output", "json", *words, timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return json.loads(done.stdout)

    def ident(self, *words: str) -> str:
        done = self.type("--output", "id", *words, timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    @contextmanager
    def typing(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Type a command whose words are read as it goes on; it is killed if it outlives this."""
        typed = subprocess.Popen(
            [RUNCTL, *words],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with typed:
            try:
                yield typed
            finally:
                typed.kill()

    @contextmanager
    def over_ssh(self) -> Iterator[str]:
        """Make a key pair, and let ``runctl`` use SSH alone; give the pair's name."""
        name = f"runctl-e2e-{secrets.token_hex(4)}"
        key = self.home / ".ssh" / f"{name}.pem"
        key.parent.mkdir(mode=0o700, exist_ok=True)
        key.write_text(self.ec2.create_key_pair(KeyName=name)["KeyMaterial"])
        key.chmod(0o600)
        with tempfile.TemporaryDirectory(dir="/tmp") as sockets:
            self.env |= {"XDG_RUNTIME_DIR": sockets, "RUNCTL_CONFIG_AWS_TRANSPORT": "ssh"}
            self._listen_elsewhere()
            try:
                yield name
            finally:
                _close(Path(sockets))
                self.ec2.delete_key_pair(KeyName=name)

    def _listen_elsewhere(self) -> None:
        """Where instances have no address of their own, sshd listens on another port."""
        tools = self.home / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -p {self.port} "$@"\n')
        (tools / "ssh").chmod(0o755)
        self.env["PATH"] = f"{tools}{os.pathsep}{self.env['PATH']}"

    # -- behind the tool

    def instances(self, *states: str) -> list[dict[str, Any]]:
        """Return the instances that bear the owner tag, in these states or in any."""
        filters = [{"Name": "tag:runctl:owner", "Values": [self.owner]}]
        if states:
            filters.append({"Name": "instance-state-name", "Values": list(states)})
        told = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return [one for group in told for one in group["Instances"]]

    def check_nothing_is_left(self) -> None:
        """Assert that no instance, disk, request or address of the user's costs anything."""
        assert self.instances(*LIVING) == []
        self._await_terminated([one["InstanceId"] for one in self.instances()])
        filters = [{"Name": "tag:runctl:owner", "Values": [self.owner]}]
        # A disk goes a moment after its instance.
        self.wait_for(
            "the end of all disks",
            lambda: not self.ec2.describe_volumes(Filters=filters)["Volumes"],
        )
        told = self.ec2.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]
        assert [one["State"] for one in told if one["State"] in ("open", "active")] == []

    def committed_files(self, run_id: str) -> list[dict[str, bytes]]:
        """Return the files of each committed checkpoint, from the blobs that S3 holds."""
        return [
            {
                file["path"]: b"".join(self._read(f"blobs/{p['sha256']}") for p in file["parts"])
                for file in json.loads(self._read(key))["manifest"]["files"]
            }
            for key in self.keys(f"runs/{run_id}/checkpoints/")
        ]

    def records(self, prefix: str) -> list[dict[str, Any]]:
        """Return the records under a prefix of the ledger, in the order of their keys."""
        return list(self.keyed(prefix).values())

    def keyed(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the same, by their keys."""
        return {key: json.loads(self._read(key)) for key in self.keys(prefix)}

    def run_ids(self) -> list[str]:
        return sorted({key.split("/")[1] for key in self.keys("runs/")})

    @cached_property
    def _place(self) -> tuple[str, str]:
        root = str(self.told("config", "get", "store.root")["value"]).removeprefix("s3://")
        bucket, _, prefix = root.partition("/")
        return bucket, prefix

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the ledger under a prefix."""
        bucket, root = self._place
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{root}/{prefix}"
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return [key.removeprefix(f"{root}/") for key in found]

    def _read(self, key: str) -> bytes:
        bucket, root = self._place
        body: bytes = self.s3.get_object(Bucket=bucket, Key=f"{root}/{key}")["Body"].read()
        return body

    # -- afterwards

    def leave(self) -> None:
        """End what a failed test has left, and take the set-up away, with the ledger."""
        left = [one["InstanceId"] for one in self.instances(*LIVING)]
        if left:
            self.ec2.terminate_instances(InstanceIds=left)
            self._await_terminated(left)
        self.told("aws", "teardown", "--yes", "--delete-ledger")
        self.end_all()

    def _await_terminated(self, idents: list[str]) -> None:
        waiter = self.ec2.get_waiter("instance_terminated")
        waiter.wait(InstanceIds=idents, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _close(sockets: Path) -> None:
    """End the connections that ssh keeps open for a while."""
    for control in sockets.rglob("*"):
        if control.is_socket():
            words = ["ssh", "-O", "exit", "-o", f"ControlPath={control}", "nobody"]
            subprocess.run(words, capture_output=True, check=False)
