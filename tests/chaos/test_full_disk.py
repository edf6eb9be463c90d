"""Disks that are really full: nothing torn is listed, and what is freed is made use of."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scene import Scene
from tests.wheelhouse import build_wheel

MIB = 1024**2


def find_obstacle() -> str | None:
    """Return why no small disk can be mounted here; None if one can."""
    if shutil.which("mount") is None:
        return "there is no mount command"
    probe = Path("/tmp", f"runctl-probe-{os.getpid()}")
    probe.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(probe)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", str(probe)], check=True)
            return None
        return f"a tmpfs cannot be mounted: {done.stderr.decode().strip()}"
    finally:
        probe.rmdir()


OBSTACLE = find_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(folder: Path) -> Path:
    """Take all room of a disk that is left; return the file that has it."""
    filler = folder / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    os.write(descriptor, bytes(size))
            except OSError:
                continue
    finally:
        os.close(descriptor)
    return filler


SAVES = """
import json, os, random, time
from pathlib import Path

place, flags = Path(os.environ["RUNCTL_CHECKPOINT_DIR"]), Path(os.environ["RUNCTL_OUTPUT_DIR"])
for step in (1, 2):
    while not (flags / f"go-{step}").exists():
        time.sleep(0.02)
    data = json.dumps({"step": step, "weights": random.Random(step).randbytes(2**20).hex()})
    (place / f"{step}.tmp").write_text(data)
    (place / f"{step}.tmp").rename(place / f"step-{step}.json")
    for n in range(20000):
        print(f"step {step} line {n}", flush=n % 1000 == 0)
(flags / "both").touch()
"""


@pytest.mark.parametrize("kills_agent", [False, True])
def test_full_ledger_is_waited_for(scene: Scene, kills_agent: bool) -> None:
    """Checkpoint, log and the end of the run wait in turn until there is room."""
    scene.write("saves.py", SAVES)
    with small_disk(scene.ledger, 16 * MIB):
        run_id = scene.launch("saves.py")
        scene.wait_for("its start", scene.outputs(run_id).exists)
        (scene.outputs(run_id) / "go-1").touch()
        scene.wait_for_event(run_id, "checkpoint_committed")
        filler = fill(scene.ledger)
        (scene.outputs(run_id) / "go-2").touch()
        scene.wait_for("the end of the training", (scene.outputs(run_id) / "both").exists)
        journal = scene.attempt(run_id) / "journal.jsonl"
        scene.wait_for("a warning", lambda: b"cannot be committed" in journal.read_bytes())
        if kills_agent:
            scene.kill(run_id, "agent")
        assert [manifest["name"] for manifest in scene.manifests(run_id)] == ["step-1.json"]
        assert scene.type("status", run_id).returncode == 0
        filler.unlink()
        assert scene.wait(run_id) == 0
        check_all_arrived(scene, run_id)
        scene.end_all()


def check_all_arrived(scene: Scene, run_id: str) -> None:
    manifests = scene.manifests(run_id)
    assert [manifest["name"] for manifest in manifests] == ["step-1.json", "step-2.json"]
    for manifest in manifests:
        [(name, data)] = scene.committed(manifest).items()
        assert data == (scene.attempt(run_id) / "checkpoints" / name).read_bytes()
    assert b"".join(scene.log_pieces(run_id)) == scene.output(run_id)
    assert len(scene.bodies(run_id, "attempt_ended")) == 1
    assert not list(scene.ledger.rglob(".tmp-*")), "half-written objects are left"


FILLS = """
import os, sys
from pathlib import Path

place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
(place / "first.json").write_text('{"step": 1}')
print("going", flush=True)
Path(os.environ["RUNCTL_OUTPUT_DIR"], "wait").touch()
import time
while Path(os.environ["RUNCTL_OUTPUT_DIR"], "wait").exists():
    time.sleep(0.02)
with (place / "second.%s").open("wb") as file:
    while True:
        file.write(bytes(65536))
"""


@pytest.mark.parametrize("suffix", ["npy", "weights"])
def test_script_that_fills_the_instance_fails_by_name(scene: Scene, suffix: str) -> None:
    scene.write("fills.py", FILLS % suffix)
    instance = scene.attempt("x").parents[2]
    with small_disk(instance, 8 * MIB):
        run_id = scene.launch("fills.py")
        scene.wait_for_event(run_id, "checkpoint_committed")
        (scene.outputs(run_id) / "wait").unlink()
        assert scene.wait(run_id) == 20
        assert scene.exit_record(run_id)["status"] == 1
        assert [body["trouble"] for body in scene.bodies(run_id, "command_exited")] == ["disk-full"]
        assert [manifest["name"] for manifest in scene.manifests(run_id)] == ["first.json"]
        assert b"".join(scene.log_pieces(run_id)) == scene.output(run_id)
        scene.end_all()


def test_instance_that_is_full_from_the_start_ends_the_run_by_name(scene: Scene) -> None:
    scene.write("train.py", "print('never')\n")
    instance = scene.attempt("x").parents[2]
    with small_disk(instance, 4 * MIB):
        filler = fill(instance)
        words = ("train", "--detach", "--name", "mine", "train.py")
        done = scene.type(*words)
        assert done.returncode in (9, 22), done.stderr.decode()
        assert b"No space left" in done.stderr
        filler.unlink()
        assert scene.type(*words).returncode == 0
        assert scene.wait("mine") == 0
        scene.end_all()


def test_instance_that_fills_up_before_the_command_ends_the_run_by_name(scene: Scene) -> None:
    """All phases but the last find room; the command's own records would not."""
    scene.write("holder.py", "import time\nprint('at work', flush=True)\ntime.sleep(600)\n")
    scene.write("train.py", "print('it runs')\n")
    instance = scene.attempt("x").parents[2]
    with small_disk(instance, 4 * MIB):
        holder = scene.launch("--gpus", "0", "holder.py")
        scene.wait_for_output(holder, b"at work")
        queued = scene.launch("--gpus", "0", "--queue", "train.py")
        scene.wait_for_phase(queued, "queue")
        filler = fill(instance)
        scene.type("stop", "--now", holder)
        done = scene.type("wait", queued)
        assert done.returncode == 22, done.stderr.decode()
        assert b"No space left" in done.stderr or b"full" in done.stderr, done.stderr
        filler.unlink()
        assert scene.type("resume", "--detach", queued).returncode == 0
        assert scene.wait(queued) == 0
        assert scene.output(queued, 2) == b"it runs\n"
        scene.end_all()


def test_environment_that_does_not_fit_ends_the_run_in_its_phase(scene: Scene) -> None:
    wheel = build_wheel(scene.project / "wheels", "signpost", "1.0")
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("signpost/ballast.bin", bytes(64 * MIB))  # it travels as a few KB
    scene.write("requirements.txt", "--no-index\n--find-links wheels\nsignpost==1.0\n")
    scene.write("train.py", "import signpost\nprint(signpost.VERSION)\n")
    scene.write(".gitignore", "")
    instance = scene.attempt("x").parents[2]
    scene.env["UV_CACHE_DIR"] = str(instance / "uv-cache")
    with small_disk(instance, 4 * MIB):
        run_id = scene.launch("--include", "wheels/*", "train.py")
        done = scene.type("wait", run_id)
        assert done.returncode == 22, done.stderr.decode()
        assert b"environment" in done.stderr
        assert b"full" in done.stderr.lower() or b"No space left" in done.stderr, done.stderr
        scene.end_all()
