"""A user's home and project, and what is typed there, for all to see: the stage of the demos."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNCTL = Path(sys.executable).with_name("runctl")
TRAINING = ("train.py", "--hyperparams", "epochs=6,checkpoint_every=30,log_every=15")
HALF_WAY_STEP = 120
PATIENCE_S = 180.0
_XDG = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


class Stage:
    """Everything happens in a folder that is removed afterwards, through ``runctl`` alone."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "digits"
        self.home.mkdir()
        shutil.copytree(ROOT / "examples" / "digits", self.project)
        cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
        own = {"HOME": str(self.home), "UV_CACHE_DIR": str(cache)}
        self.env = {k: v for k, v in os.environ.items() if k not in _XDG} | own

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
            time.sleep(0.2)
        sys.exit("demo: no checkpoint was committed in time")

    def compare(self, *runs: str) -> None:
        """Print the proof, or fail."""
        weights = {run: self._pull_weights(run) for run in runs}
        for run, digest in weights.items():
            print(f"{digest}  {run}")
        if len(set(weights.values())) != 1:
            sys.exit("demo: the weights differ")
        print("\nThe weights are equal, bit for bit: nothing was lost.")

    def _pull_weights(self, run: str) -> str:
        folder = self.home / f"outputs-of-{run}"
        self.ask("pull", run, "--into", str(folder))
        return hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()
