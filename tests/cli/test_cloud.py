"""What ``runctl cloud`` prints, with the tier that every machine has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Golden, error_of, make_scene
from tests.scene import RUNCTL, Scene

CASES = {
    "start-again": ["start", "--detach"],
    "start-again-json": ["start", "--detach", "-o", "json"],
    "start-again-id": ["start", "--detach", "-o", "id"],
    "start-other-port": ["start", "--detach", "--port", "1"],
    "status": ["status"],
    "status-json": ["status", "-o", "json"],
    "status-id": ["status", "-o", "id"],
    "env": ["env"],
    "env-fish": ["env", "--shell", "fish", "--region", "eu-west-1"],
    "env-json": ["env", "-o", "json"],
    "env-id": ["env", "-o", "id"],
    "env-no-region": ["env", "--region", "mars"],
    "events": ["events"],
    "events-json": ["events", "-o", "json"],
    "events-none": ["events", "--since", "0s"],
    "fault-list-none": ["fault", "list"],
    "fault-add": ["fault", "add", "throttle", "--service", "ec2", "--count", "2"],
    "fault-add-json": [
        "fault", "add", "delay", "--service", "s3", "--bucket", "b*", "--delay", "2s",
        "--for", "1h", "-o", "json",
    ],
    "fault-add-id": ["fault", "add", "capacity", "--type", "g5.*", "-o", "id"],
    "fault-add-strange": ["fault", "add", "throttle", "--instance", "i-0abc"],
    "fault-add-lacking": ["fault", "add", "delay"],
    "fault-add-unknown": ["fault", "add", "earthquake"],
    "fault-add-nobody": ["fault", "add", "network", "--instance", "i-0123456789abcdef0"],
    "fault-list": ["fault", "list"],
    "fault-list-json": ["fault", "list", "-o", "json"],
    "fault-clear-unknown": ["fault", "clear", "fault-nope"],
    "fault-clear": ["fault", "clear"],
    "interrupt-nobody": ["interrupt", "i-0123456789abcdef0"],
    "interrupt-malformed": ["interrupt", "mine", "-o", "json"],
    "quota": ["quota", "L-DB2E81BA", "8"],
    "quota-no-number": ["quota", "L-DB2E81BA", "nan"],
    "quota-unknown": ["quota", "L-00000000", "8"],
    "reset-dry-run": ["reset", "--dry-run"],
    "reset-refused": ["reset"],
    "reset": ["reset", "--yes"],
    "reset-json": ["reset", "--yes", "-o", "json"],
    "stop-dry-run": ["stop", "--dry-run"],
    "stop-purge-dry-run": ["stop", "--purge", "--dry-run", "-o", "json"],
    "stop-purge-refused": ["stop", "--purge"],
    "other-not-running": ["status", "--name", "other"],
    "other-stop": ["stop", "--name", "other"],
    "other-name-malformed": ["status", "--name", "../up"],
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A user whose local cloud runs."""
    made = make_scene(tmp_path_factory.mktemp("cloud"))
    try:
        done = made.type("cloud", "start", "--detach", "--tier", "plain")
        assert done.returncode == 0, done.stderr.decode()
        yield made
    finally:
        purge(made)
        made.end_all()


def purge(scene: Scene, *words: str) -> None:
    done = scene.type("cloud", "stop", "--purge", "--yes", *words)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", CASES)
def test_command(scene: Scene, golden: Golden, name: str) -> None:
    """In the order of the table: some see what others have done."""
    golden(f"cloud-{name}", scene.type("cloud", *CASES[name]))


def test_help(scene: Scene, golden: Golden) -> None:
    golden("help-cloud", scene.type("cloud", "--help"))


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_a_shell_takes_the_variables(scene: Scene, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"declared: {shell} is not on this machine")
    words = 'export AWS_PROFILE=mine; eval "$("$0" cloud env)"; env'
    misled = {"AWS_ENDPOINT_URL_S3": "http://elsewhere", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"}
    done = subprocess.run(
        [shell, "-c", words, RUNCTL], env=scene.env | misled, capture_output=True, check=True
    )
    found = dict(line.partition("=")[::2] for line in done.stdout.decode().splitlines())
    told = json.loads(scene.type("cloud", "env", "-o", "json").stdout)
    assert {name: found[name] for name in told["variables"]} == told["variables"]
    assert not {"AWS_PROFILE", *misled} & set(found)


def test_the_way_to_a_cloud_is_past_the_proxy(scene: Scene) -> None:
    told = {"HTTP_PROXY": "http://proxy:3128", "no_proxy": "inside, 10.0.0.1"}
    done = scene.type("cloud", "env", "-o", "json", env=scene.env | told)
    found = json.loads(done.stdout)["variables"]
    assert found["NO_PROXY"] == found["no_proxy"] == "inside,10.0.0.1,127.0.0.1"
    told["no_proxy"] = "*"
    done = scene.type("cloud", "env", "-o", "json", env=scene.env | told)
    assert json.loads(done.stdout)["variables"]["no_proxy"] == "*"


def test_ctrl_c_ends_what_is_followed_and_not_the_cloud(scene: Scene) -> None:
    argv = [RUNCTL, "cloud", "events", "-f", "-o", "json"]
    with subprocess.Popen(
        argv, env=scene.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event"]
        following.send_signal(signal.SIGINT)
        lines, said = following.communicate()
    assert following.returncode == 130, said
    last = json.loads(lines.splitlines()[-1])
    assert last["type"] == "error"
    assert "goes on" in last["error"]["message"]
    assert scene.type("cloud", "status").returncode == 0


def test_what_is_followed_goes_on_over_a_reset_and_ends_with_the_cloud(scene: Scene) -> None:
    words = ("--name", "followed")
    assert scene.type("cloud", "start", "--detach", "--tier", "plain", *words).returncode == 0
    argv = [RUNCTL, "cloud", "events", "-f", "-o", "json", *words]
    with subprocess.Popen(
        argv, env=scene.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event"] == "started"
        assert scene.type("cloud", "reset", "--yes", *words).returncode == 0
        assert json.loads(following.stdout.readline())["event"] == "reset"
        assert scene.type("cloud", "quota", "L-DB2E81BA", "8", *words).returncode == 0
        assert json.loads(following.stdout.readline())["event"] == "quota"
        purge(scene, *words)
        lines, said = following.communicate(timeout=60)
    assert following.returncode == 0, said
    assert b"the local cloud followed does not run any more" in said
    assert all(json.loads(line)["event"] for line in lines.splitlines())


def test_in_the_foreground_it_serves_until_ctrl_c(scene: Scene) -> None:
    argv = [RUNCTL, "cloud", "start", "--name", "front", "--tier", "plain", "-o", "json"]
    env = scene.env | {"RUNCTL_CLOUD": "front"}
    with subprocess.Popen(
        argv, env=scene.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as serving:
        assert serving.stdout is not None
        started = json.loads(serving.stdout.readline())
        assert scene.type("cloud", "status", env=env).returncode == 0
        serving.send_signal(signal.SIGINT)
        out, said = serving.communicate()
    assert serving.returncode == 130
    assert json.loads(out)["error"]["hint"].startswith("runctl cloud start --name front"), said
    assert scene.type("cloud", "status", env=env).returncode == 5
    with pytest.raises(ProcessLookupError):
        os.kill(started["pid"], 0)
    purge(scene, "--name", "front")


def test_a_port_that_is_taken_is_told_with_the_way_out(scene: Scene) -> None:
    taken = json.loads(scene.type("cloud", "status", "-o", "json").stdout)["address"]
    port = taken.rpartition(":")[2]
    words = ("--name", "portless", "--port", port, "-o", "json")
    error = error_of(scene.type("cloud", "start", "--detach", *words))
    assert f"the port {port} is taken" in error["message"]
    assert error["hint"] == "without --port a free one is taken"
    purge(scene, "--name", "portless")


def test_stop_and_purge_can_be_typed_again(scene: Scene) -> None:
    words = ("--name", "again")
    assert scene.type("cloud", "start", "--detach", "--tier", "plain", *words).returncode == 0
    folder = scene.home / ".local/share/runctl/cloud/again"
    assert folder.exists()
    for _ in range(2):
        assert scene.type("cloud", "stop", *words).returncode == 0
    for _ in range(2):
        purge(scene, *words)
        assert not folder.exists()


def test_a_missing_extra_is_named(scene: Scene) -> None:
    """A module of the user's is never taken for one of ours, nor for the extra."""
    code = (
        "import importlib.util as u, sys; find = u.find_spec;"
        "u.find_spec = lambda name, *p: None if name == 'awscrt' else find(name, *p);"
        "sys.argv[1:] = ['cloud', 'start', '--detach', '--name', 'none', '-o', 'json'];"
        "from runctl.__main__ import main; sys.exit(main())"
    )
    python = os.path.join(os.path.dirname(RUNCTL), "python")
    done = subprocess.run(
        [python, "-c", code], env=scene.env, cwd=scene.project, capture_output=True, check=False
    )
    error = error_of(done)
    assert (error["code"], done.returncode) == ("extra-missing", 3)
    assert error["hint"] == "pip install 'runctl[localcloud]'"
