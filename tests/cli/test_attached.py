"""A run that is followed: its log on standard output, its fate in the exit status."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.cli.conftest import RUN_ID, Golden, lines_of
from tests.cli.projects import fill, only_run
from tests.scene import RUNCTL, Scene


@pytest.fixture
def project(scene: Scene) -> Scene:
    return fill(scene)


def test_train_in_text(project: Scene, golden: Golden) -> None:
    project.write("say.py", "print('one')\nprint('two', end='')\n")
    golden("train", project.type("train", "say.py", "--name", "said"))


def test_train_in_json_is_lines(project: Scene, golden: Golden) -> None:
    project.write("say.py", "print('one', flush=True)\n")
    done = project.type("local", "say.py", "--name", "said", "-q", "-o", "json")
    found = lines_of(done.stdout)
    assert {line["type"] for line in found} == {"event", "log", "run"}
    assert [line["text"] for line in found if line["type"] == "log"] == ["one\n"]
    kinds = [line["event"]["type"] for line in found if line["type"] == "event"]
    assert kinds[0] == "attempt_started"
    assert kinds[-1] == "attempt_ended"
    assert (found[-1]["type"], found[-1]["state"]) == ("run", "succeeded")
    assert done.stderr == b""


def test_train_in_json_ends_with_its_error(project: Scene) -> None:
    done = project.type("local", "steps.py", "-o", "json")
    assert done.returncode == 20
    run, error = lines_of(done.stdout)[-2:]
    assert (run["type"], run["exit_status"]) == ("run", 3)
    assert (error["type"], error["error"]["code"]) == ("error", "command-failed")
    assert error["error"]["details"]["status"] == 3


def test_train_prints_the_id_alone(project: Scene) -> None:
    done = project.type("local", "steps.py", "-o", "id")
    assert done.returncode == 20
    assert done.stdout.decode() == f"{only_run(project)}\n"


def test_train_detached(project: Scene, golden: Golden) -> None:
    golden("train-detached", project.type("train", "slow.py", "--name", "slow", "--detach"))
    done = project.type("status", "slow", "-o", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["is_over"] is False


def test_arguments_arrive_byte_for_byte(project: Scene) -> None:
    odd = ["--help", "-x", "", "--", "a b", "--output", "json", "'\"$HOME`", "-"]
    raw = [*map(os.fsencode, odd), b"caf\xe9", b"line\nline"]
    words = ["local", "my scripts/echo it.py", "--hyperparams", "lr=1e-3,name='a,b'", "--"]
    done = project.type(*words, *map(os.fsdecode, raw))
    assert done.returncode == 0, done.stderr.decode()
    written = (project.outputs(only_run(project)) / "arguments").read_bytes()
    assert written.split(b"\0") == [b"--lr=1e-3", b"--name=a,b", *raw]


def test_hyperparams_of_a_file_give_way_to_typed_ones(project: Scene) -> None:
    project.write("params.toml", 'lr = 1e-3\nepochs = 5\nis_fast = true\n"a-b" = "x y"\n')
    words = ["--hyperparams", "@params.toml", "--hyperparams", "lr=1e-2", "--hyperparams", "n=1"]
    assert project.type("local", "my scripts/echo it.py", *words).returncode == 0
    written = (project.outputs(only_run(project)) / "arguments").read_bytes()
    expected = [b"--a-b=x y", b"--epochs=5", b"--is-fast", b"--lr=1e-2", b"--n=1"]
    assert sorted(written.split(b"\0")) == expected


def test_variables_and_secrets_reach_the_script(project: Scene) -> None:
    project.write("env.py", "import os\nprint(os.environ['A'], os.environ['TOKEN'])\n")
    words = ["--env", "A=1", "--env", "A=x=y", "--secret", "TOKEN"]
    done = project.type("local", "env.py", *words, env={"TOKEN": "hush-hush"})
    assert done.stdout == b"x=y hush-hush\n"
    assert b"hush" not in project.type("status", "-o", "json").stdout


def test_bytes_of_the_log_come_as_they_are(project: Scene) -> None:
    project.write("raw.py", "import os\nos.write(1, b'\\xff\\0\\r|')\nos.write(2, b'\\xc3\\xa9')\n")
    assert project.type("local", "raw.py").stdout == b"\xff\0\r|\xc3\xa9"
    assert project.type("logs").stdout == b"\xff\0\r|\xc3\xa9"
    texts = [line["text"] for line in lines_of(project.type("logs", "-o", "json").stdout)]
    assert "".join(texts) == "\ufffd\0\r|é"


@pytest.mark.parametrize(
    ("name", "text"),
    [("run me.sh", "echo from sh\n"), ("tool", "#!/bin/sh\necho from tool\n")],
)
def test_other_scripts_than_python(project: Scene, name: str, text: str) -> None:
    project.write(f"deep er/{name}", text).chmod(0o755)
    done = project.type("local", f"deep er/{name}")
    assert (done.returncode, done.stdout) == (0, text.split("echo ")[1].encode())


def test_a_folder_below_the_root_is_where_it_is_typed(project: Scene) -> None:
    project.write("sub/where.py", "import os\nprint(os.path.basename(os.getcwd()))\n")
    done = subprocess.run(
        [RUNCTL, "local", "where.py"], cwd=project.project / "sub", env=project.env,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"sub\n")


def test_patterns_add_to_those_of_the_settings(project: Scene) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        project.write(name, "")
    project.write(".runctl.toml", '[code]\nexclude = ["a.txt"]\n')
    words = ["--exclude", "b.txt,c.txt", "--dry-run", "-o", "json"]
    plan = json.loads(project.type("train", "slow.py", *words).stdout)
    names = [one["path"] for one in plan["files"]]
    assert [name for name in names if name.endswith(".txt")] == ["d.txt"]


def test_flags_become_settings(project: Scene) -> None:
    words = ["--retries", "2", "--grace", "3s", "--max-time", "1h", "--keep-last", "4"]
    words += ["--checkpoint-dir", "ckpt", "--installer", "pip", "--no-deps", "--no-install"]
    words += ["--system-site-packages", "--python", "3.11", "--requirements", "r.txt"]
    project.write("r.txt", "")
    plan = json.loads(project.type("train", "slow.py", *words, "--dry-run", "-o", "json").stdout)
    expected = {
        "run.retries": "2",
        "run.grace": "3s",
        "run.max_time": "1h",
        "checkpoint.keep_last": "4",
        "checkpoint.dir": "ckpt",
        "environment.installer": "pip",
        "environment.no_deps": "true",
        "environment.install": "false",
        "environment.system_site_packages": "true",
        "environment.python": "3.11",
        "environment.requirements": "r.txt",
    }
    assert expected.items() <= plan["settings"].items()


def test_since_leaves_out_what_is_older(project: Scene) -> None:
    project.write("two.py", "import time\nprint('old', flush=True)\ntime.sleep(2)\nprint('new')\n")
    project.type("local", "two.py", "-q")
    assert project.type("logs", "--since", "1h").stdout == b"old\nnew\n"
    (chunk, *_) = project.log_chunks(only_run(project))
    assert chunk.exists()
    assert project.type("logs", "--since", "0s").stdout == b""
    assert project.type("logs", "-f", "--since", "0s").stdout == b""


def test_a_failing_environment_ends_with_its_phase(project: Scene) -> None:
    project.write("requirements.txt", "no-such-distribution @ file:///nowhere.whl\n")
    done = project.type("local", "slow.py")
    assert done.returncode == 22, done.stderr.decode()
    assert b"environment" in done.stderr
    assert RUN_ID.search(done.stderr.decode())
