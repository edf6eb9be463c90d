"""What may go wrong while the ledger of a run is in S3: nothing committed is lost by it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.aws.bucketscene import BucketScene
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow

STEPS = """
import os, pathlib, time
folder = pathlib.Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
resumed = os.environ.get("RUNCTL_RESUME_FROM")
first = int(pathlib.Path(resumed).read_text()) + 1 if resumed else 0
print("from", first, flush=True)
for step in range(first, 8):
    part = folder / "step.part"
    part.write_text(str(step))
    part.rename(folder / f"step-{step}.txt")
    print("step", step, flush=True)
    time.sleep(0.3)
    while step == 3 and not pathlib.Path(os.environ["GATE"]).exists():
        time.sleep(0.02)
print("end", flush=True)
"""


@pytest.fixture
def stepping(in_s3: BucketScene) -> BucketScene:
    """A script that writes eight checkpoints, and waits at the fourth for the gate."""
    in_s3.write("train.py", STEPS)
    in_s3.env |= {
        "RUNCTL_CONFIG_CHECKPOINT_SETTLE": "0s",
        "GATE": str(_gate(in_s3)),
    }
    return in_s3


def _gate(scene: BucketScene) -> Path:
    return scene.home / "gate"


def _launch(scene: BucketScene) -> str:
    """Start the run, and wait until the checkpoint before the gate is committed."""
    run_id = scene.launch("train.py")
    scene.wait_for_event(run_id, "checkpoint_committed", count=1)
    scene.wait_for_output(run_id, b"step 3")
    scene.wait_for("the checkpoint of step 3", lambda: b"3" in _saved(scene, run_id))
    return run_id


def _saved(scene: BucketScene, run_id: str) -> list[bytes]:
    return [data for one in scene.manifests(run_id) for data in scene.committed(one).values()]


def test_a_stopped_run_goes_on_from_its_last_checkpoint(stepping: BucketScene) -> None:
    run_id = _launch(stepping)
    assert stepping.type("stop", run_id).returncode == 0
    assert stepping.wait(run_id) == 24
    _gate(stepping).touch()
    resumed = stepping.type("resume", run_id)
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert b"from 4" in stepping.output(run_id, 2)
    assert stepping.exit_record(run_id, 2)["status"] == 0


def test_a_killed_agent_loses_nothing(stepping: BucketScene) -> None:
    run_id = _launch(stepping)
    stepping.kill(run_id, "agent")
    _gate(stepping).touch()
    assert stepping.wait(run_id) == 0
    assert stepping.type("logs", run_id).stdout == stepping.output(run_id)
    assert b"7" in _saved(stepping, run_id)


def test_a_lost_attempt_is_resumed_from_the_bucket(stepping: BucketScene) -> None:
    run_id = _launch(stepping)
    stepping.kill(run_id, "reaper", "agent", "command")
    assert stepping.wait(run_id) == 21
    _gate(stepping).touch()
    resumed = stepping.type("resume", run_id)
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert b"from 4" in stepping.output(run_id, 2)


@pytest.mark.parametrize("effect", ["throttle", "reset"])
def test_faults_of_s3_during_a_run_lose_nothing(stepping: BucketScene, effect: str) -> None:
    run_id = _launch(stepping)
    fault = stepping.fault(effect, count=12)
    _gate(stepping).touch()
    stepping.wait_for("the faults to strike", lambda: stepping.hits(fault) == 12)
    assert stepping.wait(run_id) == 0
    assert stepping.type("logs", run_id).stdout == stepping.output(run_id)
    assert b"7" in _saved(stepping, run_id)
    assert stepping.type("checkpoint", "verify", run_id).returncode == 0


def test_a_profile_signs_for_the_command_line_and_for_the_agent(stepping: BucketScene) -> None:
    stepping.use_profile()
    _gate(stepping).touch()
    done = stepping.type("train", "train.py")
    assert done.returncode == 0, done.stderr.decode()
    run_id = stepping.type("runs", "--output", "id").stdout.decode().strip()
    assert stepping.exit_record(run_id)["status"] == 0
    plan = json.loads((stepping.attempt(run_id) / "plan.json").read_bytes())
    assert plan["bucket"]["profile"] == "team"
    assert stepping.keys[1] not in json.dumps(plan)


def test_a_followed_run_that_is_idle_costs_few_requests(stepping: BucketScene) -> None:
    run_id = _launch(stepping)
    following = subprocess.Popen(
        [RUNCTL, "logs", "-f", run_id], cwd=stepping.project, env=stepping.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert following.stdout is not None
    assert following.stdout.readline() == b"from 0\n"
    time.sleep(2)
    cursor, began = stepping.cursor(), time.monotonic()
    time.sleep(16)
    calls, minutes = stepping.calls(cursor), (time.monotonic() - began) / 60
    per_minute = {name: round(calls.count(name) / minutes) for name in sorted(set(calls))}
    assert calls
    assert sum(per_minute.values()) <= 400, per_minute
    assert per_minute["ListObjectsV2"] <= 200, per_minute
    assert per_minute["PutObject"] <= 15, per_minute
    _gate(stepping).touch()
    assert following.communicate(timeout=60)[0].endswith(b"end\n")
    assert following.returncode == 0
