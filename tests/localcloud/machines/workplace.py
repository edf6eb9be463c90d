"""A cloud's machines, and short words for what tests do with them."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runctl.localcloud.machines.machine import CommandRequest, Machine
from runctl.localcloud.machines.probe import make_tier
from runctl.localcloud.machines.results import CommandStatus, Event, Feature, TierReport
from runctl.localcloud.machines.spec import CloudPlace, MachineSpec

PATIENCE_S = 60
ENDPOINT_PORT = 4566


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: CommandStatus
    stdout: str
    stderr: str


class Workplace:
    """One cloud of a tier."""

    def __init__(self, report: TierReport, cloud_id: str, folder: Path) -> None:
        self.report = report
        self.cloud = CloudPlace(cloud_id, str(folder))
        self.marks = (f"rcl{cloud_id}", str(folder))
        self.folder = folder
        self.tier = make_tier(report, self.cloud)
        self.events: list[Event] = []
        self._heard = threading.Condition()
        self._count = 0
        self.tier.listen(self._hear)
        folder.mkdir(exist_ok=True)
        self._public_key = self._make_key()

    def need(self, *features: Feature) -> None:
        """Skip the test where the tier lacks something, and says so."""
        lacking = set(features) - self.report.features
        if lacking:
            pytest.skip(f"the {self.report.name} tier has no {', '.join(sorted(lacking))}")

    def spec(self, instance_id: str = "i-0a", **fields: Any) -> MachineSpec:
        address = self.tier.reserve_address(instance_id)
        defaults: dict[str, Any] = {
            "hostname": "ip-" + address.replace(".", "-"),
            "authorized_keys": (self._public_key,),
            "endpoint_port": ENDPOINT_PORT,
            "environment": {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{ENDPOINT_PORT}"},
        }
        return MachineSpec(instance_id=instance_id, address=address, **{**defaults, **fields})

    def launch(self, instance_id: str = "i-0a", **fields: Any) -> Machine:
        return self.tier.launch(self.spec(instance_id, **fields))

    def start(self, machine: Machine, *argv: str, **fields: Any) -> str:
        """Start a command; return its id."""
        self._count += 1
        command_id = f"test-{self._count}"
        machine.exec(CommandRequest(id=command_id, argv=argv, **fields))
        return command_id

    def finish(self, machine: Machine, command_id: str) -> Done:
        """Wait for a command's end."""
        self.until(lambda: _has_ended(machine, command_id), f"{command_id} ends")
        status = machine.command(command_id)
        assert status is not None
        return Done(status, Path(status.stdout).read_text(), Path(status.stderr).read_text())

    def run(self, machine: Machine, *argv: str, **fields: Any) -> Done:
        return self.finish(machine, self.start(machine, *argv, **fields))

    def sh(self, machine: Machine, script: str, **fields: Any) -> str:
        """Run a script that must succeed; return what it writes."""
        done = self.run(machine, "/bin/sh", "-c", script, **fields)
        assert done.status.exit_status == 0, (script, done)
        return done.stdout

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something, looking again at each event, and now and then."""
        deadline = time.monotonic() + PATIENCE_S
        with self._heard:
            while not holds():
                assert time.monotonic() < deadline, f"not in {PATIENCE_S} s: {what}"
                self._heard.wait(0.05)

    def _make_key(self) -> str:
        path = self.folder.parent / "key"
        if not path.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return path.with_suffix(".pub").read_text().strip()

    def ssh(self, machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
        self.need(Feature.SSH)
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        argv = ["ssh", "-i", str(self.folder.parent / "key"), "-p", str(machine.ssh_port)]
        argv += [word for option in options for word in ("-o", option)]
        argv += ["-o", "ConnectTimeout=30", f"{machine.ssh_user}@{machine.address}", *words]
        return subprocess.run(
            argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )

    def end(self) -> None:
        self.tier.purge()
        self.tier.close()

    def _hear(self, event: Event) -> None:
        with self._heard:
            self.events.append(event)
            self._heard.notify_all()


def _has_ended(machine: Machine, command_id: str) -> bool:
    status = machine.command(command_id)
    return status is not None and status.state != "running"
