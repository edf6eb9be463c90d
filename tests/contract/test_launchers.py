"""A training is the same training bare and in a container: one suite, both launchers.

It goes through the installed command; what it looks at is the ledger, the file system, Docker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.agent.reaper import read_json
from tests.cli.projects import fill
from tests.dockerd import IMAGE, Dockerd, dockerd
from tests.scene import Scene, is_alive, kill_quietly

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or os.getuid() != 0,
        reason="a Docker daemon of the tests' own needs Linux and root",
    ),
]
LAUNCHERS = ("bare", "container")
SAVING = """
import json, os, signal, sys, time
def save(*_):
    with open(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/new", "w") as file:
        json.dump({"step": 7}, file)
    os.replace(file.name, os.environ["RUNCTL_CHECKPOINT_DIR"] + "/last.json")
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True:
    time.sleep(0.02)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("heard it", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.02)
"""
TELLING = """
import json, os, sys
facts = {name: value for name, value in os.environ.items() if name.startswith("RUNCTL_")}
facts |= {"cwd": os.getcwd(), "argv": sys.argv[1:], "uid": os.getuid(), "odd": os.environ["ODD"]}
facts |= {"token": os.environ.get("TOKEN"), "home": os.access(os.path.expanduser("~"), os.W_OK)}
with open(os.environ["RUNCTL_OUTPUT_DIR"] + "/facts.json", "w") as file:
    json.dump(facts, file)
"""
GREEDY = "b = [bytearray(1 << 20) for _ in range(1024)]"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Dockerd]:
    with dockerd() as made:
        yield made


@pytest.fixture
def user(scene: Scene, daemon: Dockerd) -> Iterator[Scene]:
    fill(scene)
    scene.env |= daemon.env
    yield scene
    left = daemon.containers()
    for name in left:
        daemon.ask("rm", "--force", name)
    assert left == [], "a container was left behind"


@pytest.fixture(params=LAUNCHERS)
def how(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options of each launcher."""
    return () if request.param == "bare" else ("--image", IMAGE)


def _await_output(scene: Scene, run_id: str, words: bytes) -> None:
    deadline = time.monotonic() + 60
    while words not in scene.output(run_id):
        assert time.monotonic() < deadline, scene.output(run_id)
        time.sleep(0.05)


def test_status_log_and_checkpoint_are_the_script_s(user: Scene, how: tuple[str, ...]) -> None:
    done = user.type("local", "steps.py", *how)
    assert done.returncode == 20, done.stderr
    assert b"from step 0" in done.stdout
    [run_id] = os.listdir(user.ledger / "runs")
    assert user.exit_record(run_id)["status"] == 3
    assert user.type("resume", run_id).returncode == 0
    assert user.output(run_id, 2).endswith(b"from step 10\n")


def test_it_is_told_the_truth(user: Scene, how: tuple[str, ...]) -> None:
    user.write("tell.py", TELLING)
    user.env["TOKEN"] = 'it\'s a "secret" $HOME'
    words = ("--env", "ODD=a b\n$c", "--secret", "TOKEN", *how, "--", "--x", "", "a b")
    run_id = user.launch("tell.py", *words)
    assert user.wait(run_id) == 0, user.output(run_id)
    facts = json.loads((user.outputs(run_id) / "facts.json").read_bytes())
    folder = user.attempt(run_id)
    told = [facts[f"RUNCTL_{name}_DIR"] for name in ("CHECKPOINT", "OUTPUT", "DATA")]
    assert told == [str(folder / name) for name in ("checkpoints", "outputs", "data")]
    assert (facts["cwd"], facts["argv"]) == (str(folder / "code"), ["--x", "", "a b"])
    assert (facts["odd"], facts["token"], facts["home"]) == ("a b\n$c", user.env["TOKEN"], True)
    assert (user.outputs(run_id) / "facts.json").stat().st_uid == facts["uid"] == os.getuid()


def test_sigterm_reaches_it_and_what_it_saves_is_kept(user: Scene, how: tuple[str, ...]) -> None:
    user.write("saving.py", SAVING)
    run_id = user.launch("saving.py", *how)
    _await_output(user, run_id, b"ready")
    assert user.type("stop", run_id).returncode == 0
    assert user.wait(run_id) == 24
    assert user.exit_record(run_id)["status"] == 143
    [committed] = user.bodies(run_id, "checkpoint_committed")
    assert (committed["name"], committed["step"]) == ("last.json", 7)


def test_one_that_does_not_end_is_killed(user: Scene, how: tuple[str, ...]) -> None:
    user.write("stubborn.py", STUBBORN)
    run_id = user.launch("stubborn.py", "--grace", "1s", *how)
    _await_output(user, run_id, b"ready")
    assert user.type("stop", run_id).returncode == 0
    assert user.wait(run_id) == 24
    assert b"heard it" in user.output(run_id)
    assert user.exit_record(run_id)["signal"] == signal.SIGKILL


def test_a_killed_agent_costs_nothing(user: Scene, how: tuple[str, ...]) -> None:
    user.write("saving.py", SAVING)
    run_id = user.launch("saving.py", *how)
    _await_output(user, run_id, b"ready")
    pid = int((user.attempt(run_id) / "agent.lock").read_text())
    kill_quietly(pid)
    assert user.type("stop", run_id).returncode == 0
    assert user.wait(run_id) == 24
    assert user.exit_record(run_id)["status"] == 143


def test_a_killed_reaper_is_a_lost_attempt(user: Scene, how: tuple[str, ...]) -> None:
    user.write("stubborn.py", STUBBORN)
    run_id = user.launch("stubborn.py", "--grace", "1s", *how)
    _await_output(user, run_id, b"ready")
    started = read_json(str(user.attempt(run_id) / "started.json")) or {}
    kill_quietly(started["reaper_pid"])
    assert user.wait(run_id) == 21
    assert not is_alive(started["pid"])


def test_a_command_beside_it_is_where_it_is(user: Scene, how: tuple[str, ...]) -> None:
    user.env["TOKEN"] = "hidden"
    run_id = user.launch("slow.py", "--secret", "TOKEN", *how)
    _await_output(user, run_id, b"begun")
    script = 'echo "$RUNCTL_RUN_ID $TOKEN"; pwd; exit 5'
    done = user.type("exec", run_id, "--", "sh", "-c", script)
    assert (done.returncode, b"status 5" in done.stderr) == (20, True), done.stderr
    assert done.stdout.decode().split() == [run_id, "hidden", str(user.attempt(run_id) / "code")]
    assert user.type("stop", run_id, "--now").returncode == 0
    assert user.wait(run_id) == 24


# -- what only a container has


def test_a_secret_is_seen_by_the_script_alone(user: Scene, daemon: Dockerd) -> None:
    user.env["TOKEN"] = "zyx-very-hidden"
    run_id = user.launch("slow.py", "--secret", "TOKEN", "--image", IMAGE)
    _await_output(user, run_id, b"begun")
    [name] = daemon.containers()
    found = daemon.inspect(name)
    assert "zyx" not in json.dumps(found)
    assert found["Config"]["Labels"]["runctl.run"] == run_id
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"zyx" in line for line in lines)
    assert user.type("stop", run_id, "--now").returncode == 0
    assert user.wait(run_id) == 24
    assert not any("zyx" in path.read_text("latin-1") for path in _files(user.attempt(run_id)))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_a_killed_docker_run_takes_its_container_along(user: Scene, daemon: Dockerd) -> None:
    run_id = user.launch("slow.py", "--image", IMAGE)
    _await_output(user, run_id, b"begun")
    kill_quietly((read_json(str(user.attempt(run_id) / "started.json")) or {})["pid"])
    assert user.wait(run_id) == 20
    assert user.exit_record(run_id)["signal"] == signal.SIGKILL
    assert daemon.containers() == []


def test_memory_that_runs_out_is_named(user: Scene) -> None:
    user.write("greedy.py", GREEDY)
    limit = ("--docker-option=--memory=64m", "--docker-option=--memory-swap=64m")
    done = user.type("local", "greedy.py", "--image", IMAGE, *limit)
    assert (done.returncode, b"memory ran out" in done.stderr) == (20, True), done.stderr
    [run_id] = os.listdir(user.ledger / "runs")
    [exited] = user.bodies(run_id, "command_exited")
    assert (exited["trouble"], exited["exit"]["status"]) == ("oom", 137)


def test_the_image_is_pinned_for_all_attempts(user: Scene, daemon: Dockerd) -> None:
    first = daemon.inspect(IMAGE)["Id"]
    assert user.type("local", "steps.py", "--image", IMAGE).returncode == 20
    daemon.ask("build", "-q", "-t", IMAGE, "-", stdin=f"FROM {IMAGE}\nENV X=1\n".encode())
    try:
        [run_id] = os.listdir(user.ledger / "runs")
        assert user.type("resume", run_id).returncode == 0
        assert user.bodies(run_id, "image_ready", 2)[0]["image_id"] == first
    finally:
        daemon.ask("tag", first, IMAGE)


@pytest.mark.parametrize("image", ["127.0.0.1:9/none:1", "Not A Name"])
def test_an_image_that_cannot_be_had_is_the_phase_s_failure(user: Scene, image: str) -> None:
    done = user.type("local", "steps.py", "--image", image)
    assert (done.returncode, b"docker pull" in done.stderr) == (22, True), done.stderr


def test_without_docker_it_is_said_what_to_do(user: Scene) -> None:
    user.env["DOCKER_HOST"] = "unix:///nonexistent/sock"
    done = user.type("local", "steps.py", "--image", IMAGE)
    assert (done.returncode, b"--install-docker" in done.stderr) == (22, True), done.stderr
