"""Images of a project, built and pushed by the installed command; looked at with Docker itself."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dockerd import IMAGE, Dockerd, dockerd
from tests.scene import Scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or os.getuid() != 0,
        reason="a Docker daemon of the tests' own needs Linux and root",
    ),
]
DOCKERFILE = f"FROM {IMAGE} AS first\nARG WORD=none\nENV WORD=$WORD\nCOPY . /app\n"
SHOW = "import os\nprint('in', os.environ['WORD'], os.path.exists('/app/show.py'))\n"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Dockerd]:
    with dockerd() as made:
        yield made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry on loopback; give its host and port."""
    assert shutil.which("docker-registry"), "type make packages, as root"
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{one.getsockname()[1]}"
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        argv = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        _await_port(host, folder / "log")
        yield host
    finally:
        process.terminate()
        process.wait(20)


def _await_port(host: str, log: Path) -> None:
    deadline, (name, port) = time.monotonic() + 30, host.split(":")
    while True:
        try:
            socket.create_connection((name, int(port)), 1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def user(scene: Scene, daemon: Dockerd) -> Iterator[Scene]:
    scene.env |= daemon.env
    scene.write("docker/Dockerfile", DOCKERFILE)
    scene.write("show.py", SHOW)
    scene.write(".env", "TOKEN=hidden\n")
    scene.write(".gitignore", ".env\n")
    subprocess.run(["git", "init", "-q"], cwd=scene.project, check=True)
    yield scene
    for one in told(scene, "docker", "images"):
        daemon.ask("image", "rm", "--force", str(one["reference"]))


def told(user: Scene, *words: str) -> list[dict[str, object]]:
    done = user.type("--output", "json", *words)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    return found if isinstance(found, list) else [found]


def test_what_has_not_changed_is_not_built_again(user: Scene, daemon: Dockerd) -> None:
    [plan] = told(user, "docker", "build", "--dry-run")
    assert (plan["dockerfile"], plan["is_present"]) == ("docker/Dockerfile", False)
    [first] = told(user, "docker", "build")
    assert (first["reference"], first["is_new"]) == (plan["reference"], True)
    found = daemon.inspect(str(first["reference"]))
    assert found["Id"] == daemon.inspect("runctl/project:latest")["Id"] == first["image_id"]
    assert found["Config"]["Labels"]["runctl.project"] == "project"
    [second] = told(user, "docker", "build")
    assert second == {**first, "is_new": False}
    user.write("show.py", f"{SHOW}# changed\n")
    [third] = told(user, "docker", "build")
    assert (third["is_new"], third["reference"] != first["reference"]) == (True, True)
    [other] = told(user, "docker", "build", "--build-arg", "WORD=a b")
    assert "WORD=a b" in daemon.inspect(str(other["reference"]))["Config"]["Env"]


def test_only_what_travels_is_in_it(user: Scene, daemon: Dockerd) -> None:
    [built] = told(user, "docker", "build")
    words = ("run", "--rm", "--network=host", str(built["reference"]), "python3", "-c")
    listed = daemon.ask(*words, "import os; print(sorted(os.listdir('/app')))")
    assert ("show.py" in listed, ".env" in listed) == (True, False)


def test_a_build_that_fails_says_why(user: Scene) -> None:
    user.write("bad", f"FROM {IMAGE}\nCOPY nothing-there /x\n")
    done = user.type("docker", "build", "--dockerfile", "bad")
    assert (done.returncode, b"nothing-there" in done.stderr) == (22, True), done.stderr
    assert user.type("docker", "build", "--dockerfile", "none").returncode == 4
    shutil.rmtree(user.project / "docker")
    done = user.type("docker", "build")
    assert (done.returncode, b".docker/Dockerfile" in done.stderr) == (4, True)


def test_what_the_registry_has_is_not_pushed_again(
    user: Scene, daemon: Dockerd, registry: str
) -> None:
    assert user.type("docker", "push").returncode == 3
    where = ("--repository", f"{registry}/team/digits", "--tag", "v2")
    assert user.type("docker", "push", *where).returncode == 4
    [first] = told(user, "docker", "build-push", *where)
    assert first["is_new"] is True
    [second] = told(user, "docker", "build-push", *where)
    assert second == {**first, "is_new": False}
    daemon.ask("image", "rm", "--force", str(daemon.inspect(str(first["reference"]))["Id"]))
    daemon.ask("pull", f"{registry}/team/digits:v2")
    assert str(first["pinned"]) in daemon.inspect(f"{registry}/team/digits:v2")["RepoDigests"]


def test_a_run_goes_in_the_project_s_own_image(user: Scene, daemon: Dockerd) -> None:
    planned = told(user, "local", "show.py", "--docker", "--dry-run")[0]
    assert told(user, "docker", "images") == []
    done = user.type("local", "show.py", "--docker", "--build-arg", "WORD=here")
    assert (done.returncode, done.stdout) == (0, b"in here True\n"), done.stderr
    assert str(planned["environment"]).startswith("what the image runctl/project:")
    [run_id] = os.listdir(user.ledger / "runs")
    [ready] = user.bodies(run_id, "image_ready")
    [one, _] = told(user, "docker", "images")
    assert (ready["image_id"], ready["is_present"]) == (one["image_id"], True)
    assert daemon.containers() == []


def test_all_but_the_newest_are_removed(user: Scene) -> None:
    for number in range(3):
        user.write("show.py", f"{SHOW}# {number}\n")
        [last] = told(user, "docker", "build")
    assert user.type("docker", "prune", "--keep", "1").returncode == 11
    assert len(told(user, "docker", "prune", "--keep", "1", "--dry-run")) == 2
    assert len(told(user, "docker", "images")) == 4
    assert user.type("docker", "prune", "--keep", "1", "--yes").returncode == 0
    left = {one["reference"] for one in told(user, "docker", "images")}
    assert left == {last["reference"], "runctl/project:latest"}
