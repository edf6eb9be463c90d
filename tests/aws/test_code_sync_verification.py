"""``runctl sync`` to an instance that really runs, over Systems Manager and SSH: what is there is
looked at by commands of our own, and compared with the project by hash."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runctl.aws.commands import run_script
from tests.aws.bucketscene import BucketScene
from tests.aws.visitors import KeyPair, own
from tests.cloud_instances import Rig
from tests.fidelity.world import wait_until
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0
LIST = """
cd "{folder}" 2>/dev/null || exit 0
find . -mindepth 1 -path ./.runctl-sync -prune -o -printf '%y %m %l %P\\n'
find . -path ./.runctl-sync -prune -o -type f -exec sha256sum {{}} +
"""


class Box:
    """The one instance of the tests, reached both ways, and a look into it."""

    def __init__(self, rig: Rig, user: BucketScene, ident: str, way: str) -> None:
        self.rig, self.user, self.ident, self.way = rig, user, ident, way
        self.folder = f"work/{user.bucket}"

    def sync(self, *words: str, folder: str | None = None) -> subprocess.CompletedProcess[bytes]:
        where = (self.ident, folder or self.folder, "--transport", self.way)
        return self.user.type("sync", *where, "-o", "json", *words, timeout_s=PATIENCE_S)

    def synced(self, *words: str) -> dict[str, Any]:
        done = self.sync(*words)
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run(self, script: str) -> str:
        return run_script(self.rig.account, self.ident, script)

    @property
    def home(self) -> str:
        return self.run("eval echo ~ubuntu").strip()

    def tree(self) -> set[str]:
        text = self.run(LIST.format(folder=f"{self.home}/{self.folder}"))
        return {line for line in text.splitlines() if line}

    def expected(self, *stays: str) -> set[str]:
        """Return what the project's tree looks like, without what stays here."""
        root, lines = self.user.project, set()
        for at, folders, files in os.walk(root):
            folders[:] = [one for one in folders if f"{at}/{one}" not in self._full(stays)]
            for name in (*folders, *files):
                path = Path(at, name)
                if str(path) not in self._full(stays):
                    lines |= _describe(path, path.relative_to(root))
        return lines

    def _full(self, names: tuple[str, ...]) -> set[str]:
        return {str(self.user.project / name) for name in names}


def _describe(path: Path, name: Path) -> set[str]:
    mode = f"{path.lstat().st_mode & 0o777:o}"
    if path.is_symlink():
        return {f"l 777 {os.readlink(path)} {name}"}
    if path.is_dir():
        return {f"d {mode}  {name}"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {f"f {mode}  {name}", f"{digest}  ./{name}"}


@pytest.fixture(scope="module")
def machine(rig: Rig) -> Iterator[KeyPair]:
    made = KeyPair(rig, IamInstanceProfile={"Name": rig.world.profile})
    ssm = rig.world.client("ssm")
    wanted = [{"Key": "InstanceIds", "Values": [made.instance]}]
    wait_until(
        lambda: bool(ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]),
        "the instance never came Online",
    )
    yield made
    made.end()


@pytest.fixture(params=["ssm", "ssh"])
def box(
    in_s3: BucketScene, rig: Rig, machine: KeyPair, request: pytest.FixtureRequest
) -> Iterator[Box]:
    with machine.held_by(in_s3):
        yield Box(rig, in_s3, own(in_s3, rig, machine.instance), request.param)


@pytest.fixture
def project(box: Box) -> BucketScene:
    """Fill the project with what travels and what does not, and let git know it."""
    user = box.user
    user.write("train.py", "print(1)\n").chmod(0o755)
    user.write("pkg/model.py", "m = 1\n" * 400)
    user.write("pkg/notes with 'quotes'.txt", "é\n")
    user.write(".gitignore", "data/\ncheckpoints/\n__pycache__/\n")
    user.write("data/table.csv", "a,b\n1,2\n")
    user.write("data/huge.bin", "0" * 1000)
    user.write("checkpoints/last.ckpt", "x")
    user.write("pkg/__pycache__/model.pyc", "x")
    (user.project / "pkg/empty").mkdir(mode=0o750)
    (user.project / "latest").symlink_to("pkg/model.py")
    subprocess.run(["git", "init", "-q"], cwd=user.project, check=True)
    return user


STAYS = (".git", "data", "checkpoints", "pkg/__pycache__")


def test_exactly_what_git_carries_arrives_and_then_only_what_changed(
    box: Box, project: BucketScene
) -> None:
    first = box.synced()
    assert box.tree() == box.expected(*STAYS)
    assert first["folder"].endswith(box.folder)
    assert box.synced()["changed"] == []
    noise = os.urandom(150_000).hex()
    project.write("pkg/noise.txt", noise)
    box.synced()
    (project.project / "pkg/noise.txt").rename(project.project / "moved.txt")
    (project.project / "latest").unlink()
    (project.project / "train.py").chmod(0o640)
    project.write("pkg/model.py", "m = 2\n")
    second = box.synced()
    assert box.tree() == box.expected(*STAYS)
    assert second["changed"] == ["moved.txt", "pkg/model.py", "train.py"]
    assert second["removed"] == ["latest", "pkg/noise.txt"]
    assert second["sent_bytes"] < 9000  # the moved file alone has 300,000
    with_data = box.synced("--include-pattern", "data/*.csv")
    assert with_data["changed"] == ["data", "data/table.csv"]
    assert [line for line in box.tree() if line.endswith("huge.bin")] == []
    assert box.user.keys_of("transit/") == []


def test_what_was_made_there_stays_and_what_was_edited_there_is_told(
    box: Box, project: BucketScene
) -> None:
    box.synced()
    there = f"{box.home}/{box.folder}"
    box.run(f"echo mine > {there}/pkg/result.txt; echo edited > {there}/pkg/model.py")
    project.write("train.py", "print(2)\n")
    before = box.tree()
    refused = box.sync()
    assert refused.returncode == 5
    error = json.loads(refused.stdout or refused.stderr)["error"]
    assert error["details"]["paths"] == ["pkg/model.py"]
    assert box.tree() == before
    box.synced("--force")
    mine = {line for line in box.tree() if line.endswith("pkg/result.txt")}
    assert len(mine) == 2
    assert box.tree() - mine == box.expected(*STAYS)


def test_a_secret_is_asked_about_before_it_is_sent(box: Box, project: BucketScene) -> None:
    project.write(".env", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYzzTESTzzKEYz\n")
    refused = box.sync()
    assert refused.returncode == 11
    assert b".env" in refused.stderr + refused.stdout
    assert [line for line in box.tree() if line.endswith(".env")] == []
    box.synced("--yes")
    assert len([line for line in box.tree() if line.endswith(".env")]) == 2


def test_a_disk_without_room_changes_nothing(box: Box, project: BucketScene) -> None:
    if box.rig.cloud.ready["tier"] != "root":
        pytest.skip("a small disk is mounted by root")
    there = f"{box.home}/{box.folder}"
    box.run(f"mkdir -p {there}; mount -t tmpfs -o size=3m,mode=777 none {there}")
    box.synced()
    before = box.tree()
    project.write("train.py", "print(2)\n")
    project.write("pkg/noise.txt", os.urandom(3 << 20).hex())
    refused = box.sync()
    assert refused.returncode == 7, refused.stderr
    assert box.tree() == before
    (project.project / "pkg/noise.txt").unlink()
    box.synced()
    assert box.tree() == box.expected(*STAYS)
    box.run(f"umount {there}")


@pytest.mark.parametrize("box", ["ssh"], indirect=True)  # over SSM all is stored before it begins
def test_a_cut_in_the_middle_leaves_the_tree_as_it_was(box: Box, project: BucketScene) -> None:
    box.synced()
    before, there = box.tree(), f"{box.home}/{box.folder}"
    project.write("train.py", "print(2)\n")
    for number in range(5):
        project.write(f"pkg/noise{number}.txt", os.urandom(8 << 20).hex())
    words = [RUNCTL, "sync", box.ident, box.folder, "--transport", "ssh", "--yes"]
    cut = subprocess.Popen(words, cwd=project.project, env=project.env, start_new_session=True)
    wait_until(
        lambda: (
            "noise" not in box.run(f"ls {there}/pkg")
            and box.run(f"ls {there}/.runctl-sync/staged").strip() != ""
        ),
        "nothing is on its way",
    )
    os.killpg(cut.pid, signal.SIGKILL)
    cut.wait()
    assert box.tree() == before
    box.synced("--yes")
    assert box.tree() == box.expected(*STAYS)


def test_a_watch_brings_changes_and_ends_with_a_summary(box: Box, project: BucketScene) -> None:
    words = [RUNCTL, "sync", box.ident, box.folder, "--watch", "--transport", box.way, "-o", "json"]
    watching = subprocess.Popen(
        words,
        cwd=project.project,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert watching.stdout is not None
    assert "train.py" in json.loads(watching.stdout.readline())["changed"]
    time.sleep(1)
    began = time.monotonic()
    project.write("pkg/model.py", "m = 3\n")
    second = json.loads(watching.stdout.readline())
    took_s = time.monotonic() - began
    assert second["changed"] == ["pkg/model.py"]
    assert box.tree() == box.expected(*STAYS)
    assert took_s < (2 if box.way == "ssh" else 10)
    watching.send_signal(signal.SIGINT)
    said, _ = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 130
    assert b"removed while it was watched" in said
