"""The small scripts that the tests of the command line run."""

from __future__ import annotations

import os

from tests.scene import Scene

ECHO = """\
import os, sys
with open(os.path.join(os.environ["RUNCTL_OUTPUT_DIR"], "arguments"), "wb") as file:
    file.write(b"\\0".join(map(os.fsencode, sys.argv[1:])))
"""
SLOW = """\
import time
print("begun", flush=True)
while True:
    time.sleep(0.05)
"""
STEPS = """\
import json, os, sys, time
folder = os.environ["RUNCTL_CHECKPOINT_DIR"]
first = 0
if "RUNCTL_RESUME_FROM" in os.environ:
    with open(os.environ["RUNCTL_RESUME_FROM"]) as file:
        first = json.load(file)["step"]
print("from step", first, flush=True)
with open(os.path.join(folder, "new"), "w") as file:
    json.dump({"step": first + 10}, file)
os.replace(os.path.join(folder, "new"), os.path.join(folder, "last.json"))
sys.exit(0 if first else 3)
"""


def fill(scene: Scene) -> Scene:
    """Write a project whose checkpoints are taken at the end, so that the order is known."""
    scene.write(".runctl.toml", '[checkpoint]\nsettle = "0s"\ninterval = "1h"\n')
    scene.write("my scripts/echo it.py", ECHO)
    scene.write("slow.py", SLOW)
    scene.write("steps.py", STEPS)
    return scene


def only_run(scene: Scene) -> str:
    """The id of the one run there is, from the ledger's own folders."""
    (run_id,) = os.listdir(scene.ledger / "runs")
    return run_id
