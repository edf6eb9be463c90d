"""Users who look into instances: a key in its usual place, a terminal to type on."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig
from tests.scene import RUNCTL

PATIENCE_S = 60.0


class KeyPair:
    """A key pair that is made once, and an instance that has nothing else to be reached with."""

    def __init__(self, rig: Rig, **parameters: Any) -> None:
        self.rig, self.name = rig, rig.world.name("pair")
        made = rig.world.client("ec2").create_key_pair(KeyName=self.name)
        self.secret = str(made["KeyMaterial"])
        self.instance = rig.launch(KeyName=self.name, ImageId=rig.ubuntu, **parameters)

    @contextmanager
    def held_by(self, user: BucketScene) -> Iterator[None]:
        """Put the key where ssh and runctl look for it, and end what ssh leaves running."""
        place = user.home / ".ssh" / f"{self.name}.pem"
        place.parent.mkdir(mode=0o700)
        place.write_text(self.secret)
        place.chmod(0o600)
        port = 22 if self.rig.cloud.ready["tier"] == "root" else 2222
        tools = user.home / "tools"
        tools.mkdir()
        # Where instances have no address of their own, sshd listens elsewhere.
        (tools / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -p {port} "$@"\n')
        (tools / "ssh").chmod(0o755)
        user.env["PATH"] = f"{tools}{os.pathsep}{user.env['PATH']}"
        with tempfile.TemporaryDirectory(dir="/tmp") as sockets:
            user.env["XDG_RUNTIME_DIR"] = sockets
            yield
            for control in Path(sockets, "runctl").glob("*"):
                words = ["ssh", "-O", "exit", "-o", f"ControlPath={control}", "nobody"]
                subprocess.run(words, capture_output=True, check=False)

    def end(self) -> None:
        ec2 = self.rig.world.client("ec2")
        ec2.terminate_instances(InstanceIds=[self.instance])
        ec2.delete_key_pair(KeyName=self.name)


def own(user: BucketScene, rig: Rig, instance: str) -> str:
    """Let an instance bear the owner tag of a user."""
    owner = json.loads(user.type("init", "--output", "json").stdout)["owner"]
    tags = [{"Key": "runctl:owner", "Value": owner}]
    rig.world.client("ec2").create_tags(Resources=[instance], Tags=tags)
    return instance


def on_terminal(
    user: BucketScene, *words: str, typed: bytes = b"", stop_at: bytes | None = None
) -> tuple[int, str]:
    """Type a command on a terminal, and then more; return its status and what was shown.

    ``stop_at``: Ctrl-C is typed once this was shown.
    """
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(user.project)
        os.execve(RUNCTL, [RUNCTL, *words], user.env)
    os.write(master, typed)
    shown, deadline = b"", time.monotonic() + PATIENCE_S
    with suppress(OSError):  # how Linux tells that the other end is closed
        while select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(master, 1 << 16)
            if not part:
                break
            shown += part
            if stop_at is not None and stop_at in shown:
                os.write(master, b"\x03")
                stop_at = None
    os.close(master)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")
