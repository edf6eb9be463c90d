"""An environment that cannot be had on an instance, that is cancelled, that outlives a stop.

The run ends in phase ``environment`` with the installer's cause, and the script is never started.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig
from tests.e2e.test_dependency_installation import EDITABLE, PATIENCE_S, Site, index, user
from tests.wheelhouse import build_wheel
from tests.wheelindex import WheelIndex

__all__ = ["index", "user"]

pytestmark = pytest.mark.slow
SLOW_BACKEND = """\
import pathlib, time
get_requires_for_build_editable = lambda *a, **k: []
def build_editable(folder, *arguments, **options):
    pathlib.Path("/tmp/building").write_text("x")
    time.sleep(600)
"""
ENVS = "$(ls -d /home/*/.runctl/instance)/envs"


@pytest.fixture(scope="module")
def placed(
    rig: Rig, user: BucketScene, index: WheelIndex, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    build_wheel(index.wheels, "elsewhere", "1.0", tag="cp311-cp311-win_amd64")
    made = Site(rig, user, index)
    made.on(rig.world.instance, "ssm")
    made.settle(tmp_path_factory.mktemp("settle") / "project")
    return made


@pytest.fixture
def site(placed: Site, tmp_path: Path) -> Site:
    placed.start_project(tmp_path / "project")
    return placed


def check_failed(site: Site, done: subprocess.CompletedProcess[bytes], words: str) -> None:
    assert done.returncode == 22, done.stdout.decode() + done.stderr.decode()
    assert b"signpost" not in done.stdout.partition(b"is absent")[1]
    [end] = site.user.bodies(site.newest(), "attempt_ended")
    assert end["phase"] == "environment"
    assert words in end["hint"]
    assert json.dumps(end["hint"])[1:-1].encode() in done.stderr


def test_a_package_for_another_platform_only(site: Site) -> None:
    site.user.write("requirements.txt", "elsewhere==1.0\n")
    check_failed(site, site.train(), "no build fits this Python and platform")


def test_an_index_that_is_not_reached(site: Site) -> None:
    site.user.write("requirements.txt", "signpost==1.2.3\n")
    nowhere = WheelIndex(site.index.wheels, "none")  # which nobody serves
    check_failed(site, site.train("--refresh-env", index=nowhere), "--stage-wheels")


def test_a_disk_without_room(site: Site) -> None:
    if site.rig.cloud.ready["tier"] != "root":
        pytest.skip("a small disk is mounted by root")
    site.user.write("requirements.txt", "signpost==1.2.3\n")
    site.there(f"mkdir -p {ENVS} && mount -t tmpfs -o size=64k,mode=777 none {ENVS}")
    try:
        done = site.train("--refresh-env")
    finally:
        site.there(f"umount {ENVS}")
    check_failed(site, done, "free space on the instance")


def test_an_installation_that_is_cancelled(site: Site) -> None:
    site.user.write("pyproject.toml", EDITABLE)  # what it needs its backend alone knows
    site.user.write("backend.py", SLOW_BACKEND)
    site.user.write("requirements.txt", "-e .\n")
    words = ("train", "train.py", *site.words, "--requirements", "requirements.txt", "--detach")
    begun = site.user.type(*words, "-o", "id", timeout_s=PATIENCE_S)
    assert begun.returncode == 0, begun.stderr
    run_id, deadline = begun.stdout.decode().strip(), time.monotonic() + PATIENCE_S
    while not site.there("ls /tmp/building 2>/dev/null || true"):
        assert time.monotonic() < deadline, site.user.type("status", run_id).stdout
    stopped = site.user.type("stop", run_id, timeout_s=PATIENCE_S)
    assert stopped.returncode == 0, stopped.stderr
    assert site.user.wait(run_id) == 24
    told = json.loads(site.user.type("status", run_id, "-o", "json").stdout)
    assert told["state"] == "stopped"
    assert site.there("pgrep -f build_editable || true").split() == []
    assert site.user.bodies(run_id, "environment_ready") == []


def test_it_is_kept_while_the_instance_is_stopped(site: Site) -> None:
    site.user.write("requirements.txt", "signpost==2.0.0\n")
    first = site.train()
    assert b"signpost 2.0.0 in" in first.stdout, first.stderr
    for words in (("stop",), ("start", "--yes")):  # the index there ends with the first
        done = site.user.type("aws", *words, site.instance, "--wait", timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stderr
    site.rig.await_online(site.instance)
    again = site.train()
    assert b"signpost 2.0.0 in" in again.stdout, again.stderr
    assert site.ready()["is_cached"] is True
