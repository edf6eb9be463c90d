"""``make demo``: train, kill everything half-way, resume, and compare the weights bit for bit.

Everything happens in a temporary home folder, through the installed ``runctl`` only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNCTL = Path(sys.executable).with_name("runctl")
TRAINING = ("train.py", "--hyperparams", "epochs=6,checkpoint_every=30,log_every=15")
HALF_WAY_STEP = 120
PATIENCE_S = 120.0


class Stage:
    """A user's home and project, and what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "digits"
        self.home.mkdir()
        shutil.copytree(ROOT / "examples" / "digits", self.project)
        cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
        own = {"HOME": str(self.home), "UV_CACHE_DIR": str(cache)}
        xdg = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        self.env = {k: v for k, v in os.environ.items() if k not in xdg} | own

    def show(self, *words: str, status: int = 0) -> None:
        """Type a command, its output for all to see, and insist on its exit status."""
        print(f"\n$ runctl {' '.join(words)}", flush=True)
        done = subprocess.run([RUNCTL, *words], cwd=self.project, env=self.env, check=False)
        if done.returncode != status:
            sys.exit(f"demo: expected exit status {status}, not {done.returncode}")

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            [RUNCTL, *words], cwd=self.project, env=self.env, check=True, capture_output=True
        )
        return done.stdout.decode()

    def wait_until_half_way(self, run: str) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = json.loads(self.ask("checkpoint", "list", run, "--output", "json"))
            steps = [view["step"] for view in found if view["step"]]
            if steps and max(steps) >= HALF_WAY_STEP:
                return int(max(steps))
            time.sleep(0.1)
        sys.exit("demo: no checkpoint was committed in time")

    def kill_all(self, run: str) -> None:
        """kill -9 the training, the agent and the reaper, found by what they are, not by asking."""
        folder = json.loads(self.ask("status", run, "--output", "json"))["attempts"][-1]["folder"]
        started = json.loads(Path(folder, "started.json").read_bytes())
        agent = int(Path(folder, "agent.lock").read_text(encoding="ascii"))
        pids = [started["reaper_pid"], agent, started["pid"]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        print(f"\n# kill -9 {' '.join(map(str, pids))}   (reaper, agent, training)", flush=True)
        time.sleep(0.5)

    def pull_weights(self, run: str) -> str:
        folder = self.home / f"outputs-of-{run}"
        self.ask("pull", run, str(folder))
        return hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="runctl-demo-") as folder:
        stage = Stage(Path(folder))
        print("# 1. A run that nothing disturbs.")
        stage.show("train", *TRAINING, "--name", "undisturbed")
        print("\n# 2. The same, killed half-way: laptop, agent and training, all at once.")
        stage.show("train", *TRAINING, "--name", "disturbed", "--detach", "--", "--step-delay=0.02")
        step = stage.wait_until_half_way("disturbed")
        stage.kill_all("disturbed")
        stage.show("status", "disturbed")
        print(f"\n# 3. Resumed from the newest checkpoint that verifies (step {step} or later).")
        stage.show("resume", "disturbed")
        stage.show("runs")
        compare(stage)


def compare(stage: Stage) -> None:
    """Print the proof, or fail."""
    print("\n# 4. The proof: SHA-256 of the final weights.")
    weights = {run: stage.pull_weights(run) for run in ("undisturbed", "disturbed")}
    for run, digest in weights.items():
        print(f"{digest}  {run}")
    if len(set(weights.values())) != 1:
        sys.exit("demo: the weights differ")
    print("\nThe weights are equal, bit for bit: nothing was lost.")


if __name__ == "__main__":
    main()
