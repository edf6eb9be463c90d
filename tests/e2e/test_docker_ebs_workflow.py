"""A training in a container of an instance, with its data on a volume that outlives both.

The image is made on the instance, out of its own Python: no registry is asked.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests import dockerd
from tests.dockerd import IMAGE
from tests.e2e.test_ebs_volumes import delete, make_volume, volumes
from tests.e2e.trainee import PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
"""Docker is on this tier alone, and so are disks."""
AT = "/mnt/data"
PREPARE = f"""
import hashlib, os, subprocess
from dockerd import pack_python
data = os.urandom(1_000_000)
with open("{AT}/set.bin", "wb") as file:
    file.write(data)
print(hashlib.sha256(data).hexdigest(), flush=True)
subprocess.run(["sudo", "-n", "service", "docker", "start"], check=True)
words = ["sudo", "-n", "docker", "import", "-", "{IMAGE}"]
subprocess.run(words, input=pack_python(), check=True, stdout=subprocess.DEVNULL)
"""
TRAIN = f"""
import hashlib, json, os, signal, sys, time
def save(step):
    for folder in (os.environ["RUNCTL_CHECKPOINT_DIR"], "{AT}"):
        with open(folder + "/new", "w") as file:
            json.dump({{"step": step}}, file)
        os.replace(folder + "/new", folder + "/last.json")
def end(*_):
    save(20)
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
first = 0
if "RUNCTL_RESUME_FROM" in os.environ:
    first = json.load(open(os.environ["RUNCTL_RESUME_FROM"]))["step"]
print(hashlib.sha256(open("{AT}/set.bin", "rb").read()).hexdigest(), first, flush=True)
print(os.path.ismount("{AT}"), os.path.exists("/.dockerenv"), os.getuid(), flush=True)
save(first + 10)
print("ready", flush=True)
while not first:
    time.sleep(0.05)
"""


def test_the_data_the_signals_and_the_resume_are_as_without(trainee: Trainee) -> None:
    ident = trainee.ident("aws", "create", "m5.large", "--zone", "us-east-1b", "--wait", "--yes")
    name, volume = make_volume(trainee, "--persistent")
    trainee.write("dockerd.py", Path(dockerd.__file__).read_text(encoding="utf-8"))
    trainee.write("prepare.py", PREPARE)
    trainee.write("train.py", TRAIN)
    on = ("--volume", f"{name}:{AT}", "--no-install")
    first = trainee.type("aws", "train", ident, "prepare.py", *on, "--wait", timeout_s=PATIENCE_S)
    assert first.returncode == 0, first.stdout.decode() + first.stderr.decode()
    digest = first.stdout.decode().split()[0]
    run_id = _train(trainee, ident, *on)
    _go_on(trainee, run_id, digest)
    assert trainee.type("aws", "terminate", ident, "--yes", timeout_s=PATIENCE_S).returncode == 0
    trainee.told("aws", "wait", ident, "--for", "terminated")
    trainee.wait_for("the end of its disk", lambda: len(volumes(trainee)) == 1)
    [left] = volumes(trainee)
    assert (left["VolumeId"], left["State"]) == (volume, "available")
    refused = trainee.type("aws", "ebs", "delete", volume, "--yes")
    assert refused.returncode == 11
    delete(trainee, volume)


def _train(trainee: Trainee, ident: str, *on: str) -> str:
    """Train until it is stopped: SIGTERM reaches it, and what it saves is committed."""
    words = ("--image", IMAGE, "--install-docker")
    run_id = trainee.ident("aws", "train", ident, "train.py", *on, *words)
    deadline = time.monotonic() + PATIENCE_S
    while b"ready" not in trainee.type("logs", run_id).stdout:
        assert time.monotonic() < deadline, trainee.told("status", run_id)
        time.sleep(0.5)
    assert trainee.type("stop", run_id, timeout_s=PATIENCE_S).returncode == 0
    assert trainee.wait(run_id, PATIENCE_S) == 24
    [attempt] = trainee.told("status", run_id)["attempts"]
    assert attempt["exit"]["status"] == 143
    assert (attempt["image"]["is_present"], attempt["environment"]) == (True, None)
    return run_id


def _go_on(trainee: Trainee, run_id: str, digest: str) -> None:
    """What was on the volume is read by hash, before and after; it goes on from the last step."""
    done = trainee.type("resume", run_id, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    told = trainee.type("logs", run_id, "--attempt", "2").stdout.decode().split()
    assert told[:5] == [digest, "20", "True", "True", "1000"]
    steps = [json.loads(files["last.json"])["step"] for files in trainee.committed_files(run_id)]
    assert sorted(steps) == [10, 20, 30]
    image = [one["image"]["image_id"] for one in trainee.told("status", run_id)["attempts"]]
    assert len(image) == 2 == 1 + len(set(image))
