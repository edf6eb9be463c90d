"""The rootless tiers, used by a user who really has no rights, and may gain none."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.localcloud import census

PACKAGE = Path(__file__).parents[3] / "src" / "runctl"
UID = "54321"
PYTHON = "/usr/bin/python3"
SCRIPT = """
import json, os, signal, sys, time
from runctl.localcloud.machines.machine import CommandRequest
from runctl.localcloud.machines.probe import make_tier, probe
from runctl.localcloud.machines.spec import CloudPlace, MachineSpec

def run(machine, name, script):
    machine.exec(CommandRequest(id=name, argv=("/bin/sh", "-c", script)))
    while (status := machine.command(name)).state == "running":
        time.sleep(0.01)
    return status

cloud_id, folder, name = sys.argv[1:]
report = {one.name: one for one in probe(folder)}[name]
said = {"usable": report.is_usable, "reason": report.reason, "users": report.users}
if report.is_usable:
    tier = make_tier(report, CloudPlace(cloud_id, folder + "/cloud"))
    address = tier.reserve_address("i-0a")
    machine = tier.launch(
        MachineSpec(instance_id="i-0a", address=address, hostname="h", endpoint_port=4566)
    )
    script = "echo $USER; echo kept > ~/file; mkdir -p ~/a && chown ec2-user ~/a"
    run(machine, "one", script)
    machine.reboot()
    status = run(machine, "two", "cat ~/file; sudo -n sh -c 'echo $USER'")
    said["stdout"] = open(status.stdout).read()
    said["exit_status"] = status.exit_status
    said["listeners"] = sorted(machine.listeners())
    said["uids"] = [os.stat("/proc/%d" % machine.hello()[one]).st_uid for one in ("pid", "init")]
    script = "setsid sleep 600 & setsid sleep 601"
    machine.exec(CommandRequest(id="three", argv=("/bin/sh", "-c", script)))
    pids = [machine.hello()[one] for one in ("pid", "init")]
    os.kill(pids[0], signal.SIGSTOP)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    tier.purge()
    said["left"] = os.listdir(folder + "/cloud")
    tier.close()
print(json.dumps(said))
"""


@pytest.mark.parametrize("name", ["namespace", "bubblewrap", "plain"])
def test_a_user_without_rights_has_the_rootless_tiers(tmp_path: Path, name: str) -> None:
    _need_another_user()
    folder = Path("/tmp", f"runctl-{secrets.token_hex(6)}")
    folder.mkdir()
    # A copy: the repository may lie where other users cannot look.
    shutil.copytree(PACKAGE, folder / "src" / "runctl", ignore=shutil.ignore_patterns("*.pyc"))
    os.chown(folder, int(UID), int(UID))
    cloud_id = secrets.token_hex(3)
    try:
        said = _run(folder, cloud_id, name)
        if not said["usable"]:
            pytest.skip(f"no {name} tier for a user without rights: {said['reason']}")
        assert (said["stdout"], said["exit_status"]) == ("kept\nroot\n", 0)
        assert said["listeners"] == ["endpoint", "imds"]
        assert said["uids"] == [int(UID)] * 2
        assert said["left"] == []
        assert census.take(f"rcl{cloud_id}", str(folder)).found == []
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, cloud_id: str, name: str) -> dict[str, object]:
    argv = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--no-new-privs"]
    argv += [PYTHON, "-c", SCRIPT, cloud_id, str(folder), name]
    environment = {
        "PYTHONPATH": str(folder / "src"),
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        argv, cwd="/", env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    said: dict[str, object] = json.loads(result.stdout)
    return said


def _need_another_user() -> None:
    """Skip, and say why, where one cannot become another user, or that one could do nothing."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes a user without rights")
    if not os.path.exists(PYTHON):
        pytest.skip(f"{PYTHON} is not there")
    argv = [PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(argv, check=False).returncode != 0:
        pytest.skip(f"{PYTHON} is older than 3.11")
