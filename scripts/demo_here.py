"""The demo on this machine: train, kill everything half-way, resume, compare the weights."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path

from scripts.stage import TRAINING, Stage


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="runctl-demo-") as folder:
        stage = Stage(Path(folder))
        print("# 1. A run that nothing disturbs.")
        stage.show("train", *TRAINING, "--name", "undisturbed")
        print("\n# 2. The same, killed half-way: laptop, agent and training, all at once.")
        stage.show("train", *TRAINING, "--name", "disturbed", "--detach", "--", "--step-delay=0.02")
        step = stage.wait_until_half_way("disturbed")
        kill_all(stage, "disturbed")
        stage.show("status", "disturbed")
        print(f"\n# 3. Resumed from the newest checkpoint that verifies (step {step} or later).")
        stage.show("resume", "disturbed")
        stage.show("runs")
        print("\n# 4. The proof: SHA-256 of the final weights.")
        stage.compare("undisturbed", "disturbed")


def kill_all(stage: Stage, run: str) -> None:
    """kill -9 the training, the agent and the reaper, found by what they are, not by asking."""
    folder = json.loads(stage.ask("status", run, "--output", "json"))["attempts"][-1]["folder"]
    started = json.loads(Path(folder, "started.json").read_bytes())
    agent = int(Path(folder, "agent.lock").read_text(encoding="ascii"))
    pids = [started["reaper_pid"], agent, started["pid"]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    print(f"\n# kill -9 {' '.join(map(str, pids))}   (reaper, agent, training)", flush=True)
    time.sleep(0.5)
