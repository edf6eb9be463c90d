"""The demo on a local cloud: rent, train, lose the instance half-way, go on on another, compare."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from scripts.stage import PATIENCE_S, TRAINING, Stage

CLOUD = ("--name", "demo")
RENTED = ("--on", "aws:m5.large", "--spot", "--yes")
LIVING = ["pending", "running", "stopping", "stopped"]
OVER = ("interrupted", "lost")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="runctl-demo-") as folder:
        stage = Stage(Path(folder))
        with rehearsal(stage):
            play(stage)


@contextmanager
def rehearsal(stage: Stage) -> Iterator[None]:
    """Start a cloud whose instances need no rights of root, and lead the stage to it."""
    print("# 1. A cloud on this machine, whose instances really run. It costs nothing.")
    try:
        stage.show("cloud", "start", "--detach", "--tier", "rootless", *CLOUD)
        told = json.loads(stage.ask("cloud", "env", *CLOUD, "--output", "json"))
        stage.env |= told["variables"] | {"AWS_EC2_METADATA_DISABLED": "true"}
        stage.show("aws", "setup", "--yes")
        yield
    finally:
        stage.show("cloud", "stop", "--purge", "--yes", *CLOUD)


def play(stage: Stage) -> None:
    print("\n# 2. A run that nothing disturbs, on an instance of its own, which ends with it.")
    stage.show("train", *TRAINING, *RENTED, "--name", "undisturbed")
    print("\n# 3. The same; half-way, the cloud takes its spot instance away.")
    words = (*TRAINING, *RENTED, "--name", "disturbed", "--detach", "--", "--step-delay=0.1")
    stage.show("train", *words)
    step = stage.wait_until_half_way("disturbed")
    interrupt(stage, "disturbed")
    stage.show("status", "disturbed")
    print(f"\n# 4. Resumed on another instance, from the newest checkpoint (step {step} or later).")
    stage.show("resume", "disturbed", "--yes")
    stage.show("runs")
    stage.show("aws", "list", "--all")
    check_nothing_lives(stage)
    print("\n# 5. The proof: SHA-256 of the final weights.")
    stage.compare("undisturbed", "disturbed")


def interrupt(stage: Stage, run: str) -> None:
    """Take the run's instance away, and wait until the run knows."""
    told = json.loads(stage.ask("status", run, "--output", "json"))
    stage.show("cloud", "interrupt", told["attempts"][-1]["instance"], "--notice", "10s", *CLOUD)
    deadline = time.monotonic() + PATIENCE_S
    while json.loads(stage.ask("status", run, "--output", "json"))["state"] not in OVER:
        if time.monotonic() > deadline:
            sys.exit("demo: nobody has noticed that the instance is gone")
        time.sleep(1)


def check_nothing_lives(stage: Stage) -> None:
    """Look behind runctl: whatever bears its owner's tag must have ended."""
    session = boto3.Session(
        aws_access_key_id=stage.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stage.env["AWS_SECRET_ACCESS_KEY"],
        region_name=stage.env["AWS_REGION"],
    )
    ec2 = session.client("ec2", endpoint_url=stage.env["AWS_ENDPOINT_URL"])
    filters = [{"Name": "instance-state-name", "Values": LIVING}]
    if ec2.describe_instances(Filters=filters)["Reservations"]:
        sys.exit("demo: an instance was left, and would cost money")
    print("\n# boto3 agrees: no instance is alive.")
