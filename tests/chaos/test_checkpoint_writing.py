"""A checkpoint that is being written is never taken; each that is taken is a whole version."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.scene import Scene, is_alive

SETTINGS = '[checkpoint]\ninterval = "0.2s"\nsettle = "0.8s"\n'
# Notes the digest of each version before it begins to write it, in one of several ways.
WRITER = """
import hashlib, io, os, pickle, random, sys, threading, time, zipfile
from pathlib import Path

way, count, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
folder = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
versions = Path(os.environ["RUNCTL_OUTPUT_DIR"])

def make(name, step):
    payload = random.Random(name + str(step)).randbytes(300_000)
    file = io.BytesIO()
    if name.endswith(".npz"):
        import numpy as np
        np.savez(file, step=np.int64(step), weights=np.frombuffer(payload, np.uint8))
    elif name.endswith(".pt"):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model/data.pkl", pickle.dumps({"step": step}, 2))
            archive.writestr("model/byteorder", "little")
            archive.writestr("model/data/0", payload)
            archive.writestr("model/version", "3\\n")
    elif name.endswith(".pkl"):
        file.write(pickle.dumps({"step": step, "weights": payload}))
    else:
        file.write(payload)
    return file.getvalue()

def write(place, data):
    halves = data[:150_000], data[150_000:]
    if way == "renamed":
        part = place.with_name(place.name + ".tmp")
        part.write_bytes(data)
        part.replace(place)
    elif way == "held":  # open, and unchanged for long
        with place.open("wb", buffering=0) as file:
            file.write(halves[0])
            time.sleep(1.5)
            file.write(halves[1])
    elif way == "overwritten":  # as well, and the end of the version before stands until then
        with place.open("r+b" if place.exists() else "wb", buffering=0) as file:
            file.write(halves[0])
            time.sleep(1.5)
            file.write(halves[1])
    elif way in ("reopened", "paused"):  # closed, and unchanged for some time
        place.write_bytes(halves[0])
        time.sleep(0.5 if way == "reopened" else 1.5)
        with place.open("ab") as file:
            file.write(halves[1])

def train(name):
    for step in range(1, count + 1):
        data = make(name, step)
        with (versions / name).open("a") as file:
            file.write(hashlib.sha256(data).hexdigest() + "\\n")
        write(folder / name, data)
        time.sleep(0.05 if way == "renamed" else 1.5)

threads = [threading.Thread(target=train, args=[name]) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
NAMES = ("last.npz", "last.pt", "last.pkl", "last.weights")


def noted(scene: Scene, run_id: str, name: str) -> list[str]:
    """Return the digests of the versions of a file, in order, each noted before its writing."""
    path = scene.outputs(run_id) / name
    return path.read_text().split() if path.exists() else []


def taken(scene: Scene, run_id: str, name: str) -> list[str]:
    """Return the digests of what was committed of a file; each must once have been whole."""
    found = [m for m in scene.manifests(run_id) if m["name"] == name and m["attempt"] == 1]
    digests = [hashlib.sha256(scene.committed(m)[name]).hexdigest() for m in found]
    assert set(digests) <= set(noted(scene, run_id, name)), f"a torn {name} was committed"
    return digests


def launch_writer(scene: Scene, way: str, count: int, *names: str) -> str:
    scene.use_own_python()
    scene.write(".runctl.toml", SETTINGS)
    scene.write("writer.py", WRITER)
    return scene.launch("--grace", "1s", "writer.py", "--", way, str(count), *names)


def has_more(scene: Scene, run_id: str, name: str, count: int) -> bool:
    return len(noted(scene, run_id, name)) > count


def wait_until_each_is_written_anew(scene: Scene, run_id: str) -> None:
    scene.wait_for("commits", lambda: {m["name"] for m in scene.manifests(run_id)} == set(NAMES))
    counts = {name: len(noted(scene, run_id, name)) for name in NAMES}
    for name, count in counts.items():
        is_noted = partial(has_more, scene, run_id, name, count)
        scene.wait_for(f"the next {name}", is_noted)
    time.sleep(0.25)  # half-way through


@pytest.mark.parametrize("way", ["held", "reopened", "overwritten", "paused"])
def test_checkpoint_written_slowly_in_place_is_taken_only_whole(scene: Scene, way: str) -> None:
    # Of a format that nobody knows, nothing tells a pause from the end.
    names = NAMES[:-1] if way == "paused" else NAMES
    run_id = launch_writer(scene, way, 2, *names)
    assert scene.wait(run_id) == 0
    for name in names:
        last = taken(scene, run_id, name)[-1]
        assert last == noted(scene, run_id, name)[-1], f"the last {name} was not committed"


def test_each_rewriting_is_a_new_sequence_and_whole(scene: Scene) -> None:
    names = ("last.npz", "last.ckpt")
    run_id = launch_writer(scene, "renamed", 60, *names)
    assert scene.wait(run_id) == 0
    for name in names:
        digests, versions = taken(scene, run_id, name), noted(scene, run_id, name)
        assert digests[-1] == versions[-1]
        assert len(digests) == len(set(digests)), "a version was committed twice"
        order = [versions.index(digest) for digest in digests]
        assert order == sorted(order), "a later sequence holds an earlier version"
    sequences = [manifest["seq"] for manifest in scene.manifests(run_id)]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("way", ["held", "overwritten"])
def test_checkpoint_torn_by_a_kill_is_not_committed(scene: Scene, way: str) -> None:
    """The last look comes when nobody writes any more: half a file must not be taken then."""
    run_id = launch_writer(scene, way, 9, *NAMES)
    wait_until_each_is_written_anew(scene, run_id)
    scene.kill(run_id, "command")
    assert scene.wait(run_id) == 20
    for name in NAMES:
        assert taken(scene, run_id, name)
    warned = " ".join(body["message"] for body in scene.bodies(run_id, "warned"))
    assert all(name in warned for name in NAMES), warned


def test_checkpoint_torn_when_all_were_killed_is_not_committed(scene: Scene) -> None:
    run_id = launch_writer(scene, "overwritten", 9, *NAMES)
    wait_until_each_is_written_anew(scene, run_id)
    pids = scene.pids(run_id)
    for name in ("command", "agent", "reaper"):
        os.kill(pids[name], signal.SIGKILL)
    scene.wait_for("the end of all", lambda: not any(map(is_alive, pids.values())))
    assert scene.type("resume", "--detach", run_id).returncode == 0
    scene.wait_for_event(run_id, "attempt_ended")
    for name in NAMES:
        assert taken(scene, run_id, name)
    scene.type("stop", "--now", run_id)


def test_checkpoint_finished_just_before_a_kill_is_not_lost(scene: Scene) -> None:
    run_id = launch_writer(scene, "renamed", 200, *NAMES)
    scene.wait_for_event(run_id, "command_started")
    time.sleep(1)
    scene.kill(run_id, "command")
    assert scene.wait(run_id) == 20
    folder = scene.attempt(run_id) / "checkpoints"
    for name in NAMES[:2]:  # without checksums nothing proves that it is whole
        last = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert taken(scene, run_id, name)[-1] == last, f"the last whole {name} was not committed"


MANY = """
import json, os, sys, time
from pathlib import Path

place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
for step in range(1, int(sys.argv[1]) + 1):
    (place / f"step-{step:06d}.json").write_text(json.dumps({"step": step}))
print("all written", flush=True)
while not Path(os.environ["RUNCTL_OUTPUT_DIR"], "go").exists():
    time.sleep(0.05)
"""


def cpu_seconds(pid: int) -> float:
    fields = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_many_files(scene: Scene, count: int, looks_s: float) -> None:
    scene.write("many.py", MANY)
    run_id = scene.launch("many.py", "--", str(count))
    agent = scene.pids(run_id)["agent"]
    scene.wait_for_output(run_id, b"all written")
    newest = f"step-{count:06d}.json"
    scene.wait_for(
        "the newest", lambda: newest in {manifest["name"] for manifest in scene.manifests(run_id)}
    )
    before, began = cpu_seconds(agent), time.monotonic()
    time.sleep(looks_s)
    share = (cpu_seconds(agent) - before) / (time.monotonic() - began)
    assert share < 0.3, f"the agent takes {share:.1%} of a processor to look"
    (scene.outputs(run_id) / "go").touch()
    assert scene.wait(run_id) == 0
    assert json.loads(scene.committed(scene.manifests(run_id)[-1])[newest]) == {"step": count}
    warnings = [body["message"] for body in scene.bodies(run_id, "warned")]
    assert any("passed over" in message for message in warnings), warnings
    assert len(scene.manifests(run_id)) < count, "nothing was passed over"


def test_thousands_of_files_are_no_burden(scene: Scene) -> None:
    check_many_files(scene, 5_000, looks_s=2)


@pytest.mark.soak
def test_fifty_thousand_files_are_no_burden(scene: Scene) -> None:
    check_many_files(scene, 50_000, looks_s=60)
