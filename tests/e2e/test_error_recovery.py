"""What goes wrong with a script is named, with advice, and is tried again where that was asked for.

On this very machine: what is tested is the agent's, which is the same on every instance.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.scene import Scene

MEMORY = Path("/sys/fs/cgroup/memory")
HANGS = """
import os, threading, time

def waits_for_ever():
    threading.Event().wait()

def trains():
    print("step 1", flush=True)
    if os.environ["RUNCTL_ATTEMPT"] == "1":
        waits_for_ever()
    print("step 2", flush=True)

trains()
"""
DIVERGES = """
import time
for step in range(600):
    print(f"step {step} loss: {'nan' if step > 5 else 0.5}", flush=True)
    time.sleep(0.1)
"""
EATS = """
import os, sys
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
held = [bytearray(os.urandom(2**20)) for _ in range(512)]
"""
LOSES_GPU = """
import sys
sys.exit("RuntimeError: CUDA error: unspecified launch failure")
"""
FAKE_SMI = """#!/bin/sh
echo 'Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.'
exit 15
"""
FAKE_SPY = """#!/bin/sh
test "$1 $2" = "dump --pid" && echo "Thread $3 (active): waits_for_ever"
"""


def add_tool(scene: Scene, name: str, text: str) -> None:
    tool = scene.home / "tools" / name
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(text)
    tool.chmod(0o755)
    scene.env["PATH"] = f"{tool.parent}{os.pathsep}{scene.env['PATH']}"


def check_named(scene: Scene, run_id: str, trouble: str, *advice: bytes) -> None:
    """Check the ledger, and what each command that looks says."""
    done = scene.type("wait", run_id)
    assert done.returncode == 20, done.stderr.decode()
    [exited] = scene.bodies(run_id, "command_exited")
    assert exited["trouble"] == trouble
    page = scene.type("status", run_id).stdout
    for words in (exited["advice"].encode(), *advice):
        assert words in done.stderr
        assert b" ".join(words.split()) in b" ".join(page.split())
    told = json.loads(scene.type("status", "--output", "json", run_id).stdout)
    assert told["attempts"][0]["trouble"] == trouble


@pytest.mark.parametrize("tool", ["py-spy", "faulthandler"])
def test_what_hangs_is_ended_shows_where_and_is_tried_again(scene: Scene, tool: str) -> None:
    scene.write("hangs.py", HANGS)
    scene.env |= {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(scene.home / "empty")}
    if tool == "py-spy":
        add_tool(scene, tool, FAKE_SPY)
    words = ("--hang-timeout", "2s", "--grace", "1s", "--retries", "1")
    run_id = scene.launch(*words, "hangs.py")
    assert scene.wait(run_id) == 0
    end = scene.attempt_end(run_id)
    assert end["cause"] == "trouble"
    assert (
        f"no output and no checkpoint for 2s; where it stood is at the log's end, by {tool}"
        in (end["message"])
    )
    assert b"waits_for_ever" in b"".join(scene.log_pieces(run_id))
    [exited] = scene.bodies(run_id, "command_exited")
    assert exited["trouble"] == "hang"
    assert b"step 2" in scene.output(run_id, 2)


def test_what_hangs_is_not_tried_again_where_only_other_ends_are(scene: Scene) -> None:
    scene.write("hangs.py", HANGS)
    add_tool(scene, "py-spy", FAKE_SPY)
    words = ("--hang-timeout", "1s", "--grace", "1s", "--retries", "1", "--retry-on", "lost,oom")
    run_id = scene.launch(*words, "hangs.py")
    check_named(scene, run_id, "hang", b"no output and no checkpoint for 1s")
    assert not scene.attempt(run_id, 2).exists()


def test_a_loss_that_is_no_number_ends_the_run_by_name(scene: Scene) -> None:
    scene.write("diverges.py", DIVERGES)
    run_id = scene.launch("--fail-on", "nan", "--retries", "1", "diverges.py")
    check_named(scene, run_id, "nan", b"the loss is not a number any more: step 6 loss: nan")
    assert not scene.attempt(run_id, 2).exists(), "it would diverge again"


@pytest.mark.skipif(
    not os.access(MEMORY, os.W_OK), reason="no group of processes can be limited in memory here"
)
def test_what_the_kernel_kills_for_memory_is_named(scene: Scene) -> None:
    group = MEMORY / f"runctl-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
        scene.write("eats.py", EATS)
        run_id = scene.launch("eats.py", "--", str(group / "cgroup.procs"))
        check_named(scene, run_id, "oom", b"SIGKILL", b"memory ran out", b"smaller batches")
        assert scene.exit_record(run_id)["signal"] == 9
    finally:
        scene.end_all()
        group.rmdir()


def test_a_gpu_that_has_fallen_off_is_named(scene: Scene) -> None:
    scene.write("loses.py", LOSES_GPU)
    add_tool(scene, "nvidia-smi", FAKE_SMI)
    run_id = scene.launch("--retries", "1", "loses.py")
    check_named(scene, run_id, "gpu-lost", b"GPU 0000:3B:00.0: GPU is lost", b"a reboot")
    assert not scene.attempt(run_id, 2).exists(), "it was tried again where the GPU is lost"
