"""What is wrong is named, with the next thing to type, and the right exit status."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from runctl.model.ids import is_run_name
from tests.cli.conftest import Golden, error_of
from tests.scene import RUNCTL, Scene

CASES = {
    "script-missing": ["train", "trian.py"],
    "script-missing-in-folder": ["train", "my scripts/fti.sh"],
    "script-is-folder": ["train", "my scripts"],
    "script-not-named": ["train"],
    "command-misspelt": ["trian", "train.py"],
    "command-missing": ["config"],
    "option-misspelt": ["train", "train.py", "--retires", "2"],
    "option-without-value": ["train", "train.py", "--name"],
    "duration-malformed": ["train", "train.py", "--max-time", "5"],
    "number-out-of-range": ["train", "train.py", "--retries", "-1"],
    "env-malformed": ["train", "train.py", "--env", "1A=b"],
    "secret-with-value": ["train", "train.py", "--secret", "TOKEN=abc"],
    "secret-not-set": ["train", "train.py", "--secret", "NO_SUCH_TOKEN"],
    "gpus-malformed": ["train", "train.py", "--gpus", "0,x"],
    "name-malformed": ["train", "train.py", "--name", "a b"],
    "hyperparams-malformed": ["train", "train.py", "--hyperparams", "lr"],
    "hyperparams-twice": ["train", "train.py", "--hyperparams", "lr=1,lr=2"],
    "hyperparams-twice-apart": [
        "train", "train.py", "--hyperparams", "a-b=1", "--hyperparams", "a_b=2",
    ],
    "hyperparams-no-file": ["train", "train.py", "--hyperparams", "@none.toml"],
    "hyperparams-bad-file": ["train", "train.py", "--hyperparams", "@bad.toml"],
    "since-malformed": ["logs", "--since", "yesterday"],
    "state-unknown": ["runs", "--state", "done"],
    "run-unknown": ["status", "nobody"],
    "no-runs-yet": ["logs"],
    "key-unknown": ["config", "get", "run.retires"],
    "key-bad-value": ["config", "set", "run.retries", "many"],
}  # fmt: skip
BROKEN = {
    "toml": "[run]\nretries = \n",
    "key": "[run]\nretires = 2\n",
    "section": "[rnu]\nretries = 2\n",
    "value": '[run]\ngrace = "soon"\n',
}


@pytest.fixture
def project(scene: Scene) -> Scene:
    scene.write("train.py", "print(1)\n")
    scene.write("my scripts/fit.sh", "echo fit\n")
    scene.write("bad.toml", "lr = 1\nlr = 2\n")
    return scene


@pytest.mark.parametrize("name", CASES)
def test_bad_input(project: Scene, golden: Golden, name: str) -> None:
    golden(f"bad-{name}", project.type(*CASES[name]))
    assert not project.ledger.joinpath("runs").exists()


@pytest.mark.parametrize("name", CASES)
def test_bad_input_as_json_says_the_same(project: Scene, name: str) -> None:
    text = project.type(*CASES[name])
    done = project.type("--output", "json", *CASES[name])
    error = error_of(done)
    assert done.returncode == text.returncode
    if text.stderr.startswith(b"error: "):
        assert text.stderr.decode().startswith(f"error: {error['message']}\n")


@pytest.mark.parametrize("name", BROKEN)
def test_bad_settings(project: Scene, golden: Golden, name: str) -> None:
    project.write(".runctl.toml", BROKEN[name])
    golden(f"bad-settings-{name}", project.type("train", "train.py"))
    assert error_of(project.type("config", "validate", "-o", "json"))["code"] == "config"


def test_all_that_is_wrong_with_the_settings_is_told(project: Scene, golden: Golden) -> None:
    project.write(".runctl.toml", '[run]\nretires = 2\ngrace = "soon"\n')
    golden("bad-settings-two", project.type("config", "validate"))
    golden("bad-settings-two-json", project.type("config", "validate", "-o", "json"))


def test_a_script_that_is_no_file_is_refused(project: Scene, golden: Golden) -> None:
    os.mkfifo(project.project / "pipe.py")
    golden("bad-script-no-file", project.type("train", "pipe.py"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_script_is_refused(project: Scene, golden: Golden) -> None:
    (project.project / "train.py").chmod(0)
    golden("bad-script-unreadable", project.type("train", "train.py"))


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null"])
def test_a_home_that_cannot_be_written(project: Scene, place: str) -> None:
    project.env["HOME"] = place
    done = project.type("train", "train.py", "-o", "json")
    error = error_of(done)
    assert error["code"] == "config"
    assert place in error["message"]
    assert b"Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_no_fault(project: Scene) -> None:
    gone = project.project / "gone"
    gone.mkdir()
    script = f"rmdir {gone}; exec {RUNCTL} runs -o json"
    done = subprocess.run(
        ["sh", "-c", script], cwd=gone, env=project.env, capture_output=True, check=False
    )
    assert error_of(done)["message"] == "the current folder is no longer there"


@pytest.mark.parametrize("words", [["local", "train.py"], ["runs"], ["status"]])
def test_what_the_machine_refuses_is_no_fault(project: Scene, words: list[str]) -> None:
    project.ledger.parent.mkdir(parents=True)
    project.ledger.symlink_to(project.ledger.name)
    done = project.type(*words, "-o", "json")
    error = error_of(done)
    assert (error["code"], done.returncode) == ("integrity", 10)
    assert f"a loop of links at {project.ledger}" in error["message"]
    assert error["hint"].startswith("ls -l ")


@pytest.mark.parametrize("target", ["train.py", "train.py/in", "/proc/nowhere"])
def test_outputs_go_to_no_place_that_is_none(project: Scene, target: str) -> None:
    project.write("make.py", "import os\nopen(os.environ['RUNCTL_OUTPUT_DIR'] + '/o', 'w')\n")
    assert project.type("local", "make.py", "--name", "makes").returncode == 0
    error = error_of(project.type("pull", "makes", "--into", target, "-o", "json"))
    assert error["exit_code"] in (2, 9)
    assert error["message"].startswith(f"{target} c")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such-command"], "ended with status 127"),
        (["./train.py"], "ended with status 126"),
        (["sh", "-c", "kill -9 $$"], "was ended by SIGKILL"),
    ],
)
def test_a_command_beside_the_training_that_fails(
    project: Scene, words: list[str], told: str
) -> None:
    assert project.type("local", "train.py", "--name", "one").returncode == 0
    done = project.type("exec", "one", "-o", "json", "--", *words)
    assert error_of(done)["message"].endswith(told)
    assert b"Errno" not in done.stderr


def test_a_damaged_run_hides_no_other(project: Scene) -> None:
    for name in ("sound", "broken"):
        assert project.type("local", "train.py", "--name", name).returncode == 0
    broken = json.loads(project.type("runs", "-o", "json").stdout)[0]["run_id"]
    (project.ledger / "runs" / broken / "spec.json").write_text("{")
    for path in (project.home / ".cache").rglob("runs-*.json"):
        path.unlink()
    done = project.type("runs", "-o", "json")
    assert [run["name"] for run in json.loads(done.stdout)] == ["sound"]
    assert f"run {broken} cannot be read" in done.stderr.decode()
    assert project.type("status", broken).returncode == 10


def test_a_ledger_is_a_folder(project: Scene) -> None:
    project.env["RUNCTL_CONFIG_STORE_ROOT"] = str(project.project / "train.py")
    for words in (["local", "train.py"], ["runs"]):
        assert error_of(project.type(*words, "-o", "json"))["code"] == "config"


def test_a_ledger_in_the_project_does_not_travel(project: Scene) -> None:
    project.write(".runctl.toml", '[store]\nroot = "kept/ledger"\n')
    for _ in range(2):
        assert project.type("local", "train.py").returncode == 0
    plan = json.loads(project.type("local", "train.py", "--dry-run", "-o", "json").stdout)
    paths = [one["path"] for one in plan["files"]]
    assert "train.py" in paths
    assert not [path for path in paths if path.startswith("kept/ledger")]


def test_control_characters_do_not_reach_the_terminal(project: Scene) -> None:
    done = project.type("train", "train.py", "--dry-run", "--", "\x1b[31m\n")
    assert b"command      train.py '\\x1b[31m\\x0a'" in done.stdout


def test_a_long_name_is_cut_where_it_names_a_run(project: Scene) -> None:
    project.write(f"{'n' * 200}.py", "print(1)\n")
    done = project.type("local", f"{'n' * 200}.py", "-o", "id", "--detach")
    run_id = done.stdout.decode().strip()
    name = json.loads(project.type("wait", run_id, "-o", "json").stdout)["name"]
    assert is_run_name(name)
    assert name.startswith("nnn")


def test_a_name_that_is_no_text_is_shown_escaped(project: Scene) -> None:
    done = project.type("train", os.fsdecode(b"caf\xe9.py"), "-o", "json")
    assert error_of(done)["message"] == "there is no script caf\\xe9.py"


def test_only_the_newest_of_a_name_is_meant_and_nothing_is_left(project: Scene) -> None:
    assert project.type("rm", "nobody", "--yes").returncode == 4
    assert not Path(project.home, ".local/share/runctl/ledger/runs").exists()
