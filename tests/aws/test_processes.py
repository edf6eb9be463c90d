"""``runctl aws processes`` on instances that really run, over Systems Manager and SSH."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from runctl.aws.commands import run_script
from tests.aws.bucketscene import BucketScene
from tests.aws.visitors import KeyPair, on_terminal, own
from tests.cli.projects import fill
from tests.cloud_instances import Rig
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0
SMI = """
cat >/usr/local/bin/nvidia-smi <<'END'
#!/bin/sh
case $1 in
*--query-gpu*) echo '0, GPU-1, NVIDIA L4, 87, 1024, 23034, 61, 70.50' ;;
*) for pid in $(pgrep -f slow.py); do echo "$pid, 512"; done ;;
esac
END
chmod 755 /usr/local/bin/nvidia-smi
"""


def look(user: BucketScene, *words: str) -> dict[str, Any]:
    done = user.type("aws", "processes", *words, "-o", "json", timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_over_ssh_without_an_agent(by_key: str, in_s3: BucketScene) -> None:
    found = look(in_s3, by_key)
    assert found["instance"] == by_key
    assert found["processor"]["count"] == os.cpu_count()
    assert found["memory"]["total_bytes"] > found["memory"]["used_bytes"] > 0
    assert "/" in [disk["mount"] for disk in found["disks"]]
    assert (found["gpus"], found["gpu_problem"], found["processes"]) == ([], None, [])
    everybody = look(in_s3, by_key, "--detailed")["processes"]
    assert any("sshd" in one["command"][0] for one in everybody)
    in_text = in_s3.type("aws", "processes", by_key, "--detailed").stdout.decode()
    assert in_text.startswith(f"{by_key}  t3.micro  over SSH as ubuntu\n")
    assert "gpus       none\n" in in_text
    assert "\ncores " in in_text
    assert "sshd" in in_text
    assert in_s3.type("aws", "processes", by_key, "-o", "id").stdout.decode() == f"{by_key}\n"


def test_an_instance_without_python_is_told(in_s3: BucketScene, rig: Rig) -> None:
    ident = own(in_s3, rig, rig.world.instance)
    without = in_s3.type("aws", "processes", ident)
    assert without.returncode == 9  # its image has none, and no run has brought one yet
    assert b"it has no Python" in without.stderr


@pytest.fixture
def training(in_s3: BucketScene, rig: Rig) -> Iterator[tuple[str, str]]:
    """Give an instance of the user's with a GPU, and the id of the run that trains on it."""
    fill(in_s3)
    ident = own(in_s3, rig, rig.world.instance)
    role, iam = rig.world.profile, rig.world.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=in_s3.rights())
    words = ("slow.py", "--name", "seen", "--on", f"aws:{ident}", "--detach", "-o", "id")
    begun = in_s3.type("train", *words, timeout_s=PATIENCE_S)
    run_script(rig.account, ident, SMI)
    yield ident, begun.stdout.decode().strip()
    run_script(rig.account, ident, "rm -f /usr/local/bin/nvidia-smi")
    in_s3.type("stop", "seen", "--now", timeout_s=PATIENCE_S)
    in_s3.wait("seen", PATIENCE_S)
    iam.delete_role_policy(RoleName=role, PolicyName="ledger")


def test_over_systems_manager_with_a_run_and_a_gpu(
    training: tuple[str, str], in_s3: BucketScene
) -> None:
    ident, run_id = training
    in_s3.wait_for("the training", lambda: "training" in roles(look(in_s3, "seen")))
    found = look(in_s3, run_id)
    assert sorted(roles(found)) == ["agent", "reaper", "training"]
    assert {one["run"] for one in found["processes"]} == {run_id}
    [one] = [one for one in found["processes"] if one["role"] == "training"]
    assert (one["user"], one["depth"], one["command"][-1]) == ("ec2-user", 1, "slow.py")
    assert one["gpu_memory_bytes"] == 512 << 20
    assert [(gpu["name"], gpu["percent"]) for gpu in found["gpus"]] == [("NVIDIA L4", 87)]
    in_text = in_s3.type("aws", "processes", ident).stdout.decode()
    assert "over Systems Manager" in in_text
    assert "  training  " in in_text
    assert "NVIDIA L4  87%   1GiB of 22.5GiB  61°C  70W" in in_text


def roles(found: dict[str, Any]) -> list[str]:
    return [one["role"] for one in found["processes"] if one["role"]]


def begin(user: BucketScene, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [RUNCTL, "aws", "processes", *words],
        cwd=user.project,
        env=user.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_watching_ends_with_ctrl_c(by_key: str, in_s3: BucketScene) -> None:
    watching = begin(in_s3, by_key, "-w", "--interval", "200ms", "-o", "json")
    assert watching.stdout is not None
    looks = [json.loads(watching.stdout.readline()) for _ in range(3)]
    os.killpg(watching.pid, signal.SIGINT)
    rest, _ = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 130
    assert {one["instance"] for one in looks} == {by_key}
    assert len({one["at"] for one in looks}) == 3
    last = json.loads(rest.splitlines()[-1])
    assert (last["type"], last["error"]["exit_code"]) == ("error", 130)


def test_watching_ends_with_the_instance(
    by_key: str, in_s3: BucketScene, rig: Rig, pair: KeyPair
) -> None:
    ident = own(in_s3, rig, rig.launch(KeyName=pair.name, ImageId=rig.ubuntu))
    watching = begin(in_s3, ident, "--watch", "--interval", "200ms")
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith(ident.encode())
    rig.world.client("ec2").terminate_instances(InstanceIds=[ident])
    _, told = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 21, told
    assert f"{ident} does not run any more".encode() in told


def test_on_a_terminal_it_is_drawn_in_place(by_key: str, in_s3: BucketScene) -> None:
    words = ("aws", "processes", by_key, "-w", "--interval", "100ms")
    status, shown = on_terminal(in_s3, *words, stop_at=b"\x1b[H\x1b[2J")
    assert status == 130, shown
    assert f"{by_key}  t3.micro  over SSH as ubuntu" in shown


def test_only_ours(in_s3: BucketScene, rig: Rig) -> None:
    ident = rig.launch()
    assert in_s3.type("aws", "processes", ident).returncode == 11
    assert in_s3.type("aws", "processes", "i-0123456789abcdef0").returncode == 4
    rig.world.client("ec2").terminate_instances(InstanceIds=[ident])
    assert in_s3.type("aws", "processes", ident, "--not-mine").returncode == 5
