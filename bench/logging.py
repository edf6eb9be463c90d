"""How fast, and how faithfully, what a script prints reaches the one who follows it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from datetime import datetime
from pathlib import Path

from bench.figures import Figure
from bench.places import RUNCTL, Scene, open_scene
from bench.processes import peak_bytes
from bench.scale import MIB, Scale
from bench.stopwatch import percentile

TALKER = """
import random, sys, time
chance = random.Random(7)
for index in range(int(sys.argv[1])):
    time.sleep(chance.expovariate(1 / 0.05))
    print("line", index, time.time_ns())
"""
SHOUTER = """
import hashlib, os, sys
chunk, left = 1024 * 1024, int(sys.argv[1])
digest, number = hashlib.sha256(), 0
out = open(1, "wb", buffering=0, closefd=False)
while left:
    lines = b"".join(b"step %010d loss 0.%06d accuracy 0.%04d seconds 12.3\\n"
        % (number + i, (number + i) * 7919 % 1000000, (number + i) % 10000) for i in range(1000))
    number += 1000
    lines = lines[:left]
    left -= len(lines)
    digest.update(lines)
    while lines:
        lines = lines[out.write(lines):]
open(os.environ["RUNCTL_OUTPUT_DIR"] + "/digest", "w").write(digest.hexdigest())
"""


def measure(scale: Scale) -> list[Figure]:
    return [*_measure_latency(scale), *_measure_throughput(scale)]


def _measure_latency(scale: Scale) -> list[Figure]:
    with open_scene() as scene:
        scene.write("talk.py", TALKER)
        run_id = scene.launch("talk.py", "--", str(scale.lines))
        late_s = _stamp_arrivals(scene, run_id)
    assert len(late_s) == scale.lines, f"{len(late_s)} of {scale.lines} lines arrived"
    details = {"median": percentile(late_s, 0.5), "worst": max(late_s), "lines": len(late_s)}
    p95 = percentile(late_s, 0.95)
    return [Figure("from print to logs -f, 95th percentile", p95, "s", 1, details=details)]


def _stamp_arrivals(scene: Scene, run_id: str) -> list[float]:
    """Follow the log; return how late each line came, in the order in which they were printed."""
    follow = subprocess.Popen(
        [RUNCTL, "logs", "-f", run_id],
        cwd=scene.project,
        env=scene.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    late_s: list[float] = []
    with follow:
        assert follow.stdout is not None
        for line in follow.stdout:
            _, index, printed_ns = line.split()
            assert int(index) == len(late_s), f"line {int(index)} is out of order"
            late_s.append((time.time_ns() - int(printed_ns)) / 1e9)
    return late_s


def _measure_throughput(scale: Scale) -> list[Figure]:
    with open_scene() as scene:
        scene.write("shout.py", SHOUTER)
        run_id = scene.launch("shout.py", "--", str(scale.log_bytes))
        agent_bytes = _watch_agent(scene, run_id)
        shipped_s = _shipping_seconds(scene, run_id)
        read_s, digest = _read_back(scene, run_id)
        printed = (scene.attempt(run_id) / "outputs" / "digest").read_text(encoding="ascii")
        bare_s = _bare_seconds(scene, scale.log_bytes)
    assert digest == printed, "the log is not what was printed"
    size = scale.log_bytes / 1e6
    details = {"script alone, MB/s": size / bare_s, "bytes": scale.log_bytes}
    name = f"{scale.log_bytes // MIB} MiB of log"
    return [
        Figure(f"{name}, printed and shipped", size / shipped_s, "MB/s", 50, True, details),
        Figure(f"{name}, read by runctl logs", size / read_s, "MB/s", 50, True),
        Figure("agent's peak memory, shipping a log", agent_bytes / 1e6, "MB", 256),
    ]


def _watch_agent(scene: Scene, run_id: str) -> int:
    """Wait for the end of the run; return the agent's peak memory."""
    scene.wait_for_event(run_id, "command_started")
    pid, peak = scene.pids(run_id)["agent"], 0
    while not scene.bodies(run_id, "attempt_ended"):
        peak = _peak_or(pid, peak)
        time.sleep(0.02)
    return peak


def _peak_or(pid: int, known: int) -> int:
    try:
        return peak_bytes(pid)
    except (OSError, AssertionError):  # it has ended, or is about to
        return known


def _shipping_seconds(scene: Scene, run_id: str) -> float:
    """Return the time from the command's start until its log was in the ledger, whole."""
    times = {
        (event["body"]["type"], event["body"].get("phase")): datetime.fromisoformat(event["at"])
        for event in scene.events(run_id)
    }
    began, ended = times["command_started", None], times["phase_finished", "uploading"]
    return (ended - began).total_seconds()


def _read_back(scene: Scene, run_id: str) -> tuple[float, str]:
    """Read the log by ``runctl logs``; return the seconds, and the digest of what came."""
    began, digest = time.perf_counter(), hashlib.sha256()
    reader = subprocess.Popen(
        [RUNCTL, "logs", run_id], cwd=scene.project, env=scene.env, stdout=subprocess.PIPE
    )
    with reader:
        assert reader.stdout is not None
        while data := os.read(reader.stdout.fileno(), MIB):
            digest.update(data)
    assert reader.returncode == 0
    return time.perf_counter() - began, digest.hexdigest()


def _bare_seconds(scene: Scene, size_bytes: int) -> float:
    folder = scene.project
    target: Path = folder / "bare.log"
    began = time.perf_counter()
    with target.open("wb") as out:
        subprocess.run(
            ["python3", "shout.py", str(size_bytes)],
            cwd=folder,
            env=scene.env | {"RUNCTL_OUTPUT_DIR": str(folder)},
            stdout=out,
            check=True,
        )
    return time.perf_counter() - began
