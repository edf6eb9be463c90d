"""Nothing that looks like a secret, and nothing large, is sent before somebody has agreed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import error_of
from tests.scene import RUNCTL, Scene

AWAY = ["train", "train.py", "--on", "aws:i-0123456789abcdef0"]
NEXT = b"an instance cannot reach a ledger"  # what is refused after the files are agreed to
KEY = "AKIA" + "Q3EGRIXL5W2NZV7K"  # put together, so that no scanner takes it for a leak


@pytest.fixture
def project(scene: Scene) -> Scene:
    scene.write("train.py", "print(1)\n")
    scene.write(".env", "TOKEN=1\n")
    return scene


def stored(scene: Scene) -> list[Path]:
    """What of the code has left the project: the ledger holds it first."""
    return list((scene.ledger / "blobs").glob("*")) if scene.ledger.exists() else []


def test_a_secret_is_refused_before_anything_is_sent(project: Scene) -> None:
    project.write("pkg/conf.py", f"\n\nkey = '{KEY}'\n")
    done = project.type(*AWAY)
    assert done.returncode == 11
    told = done.stderr.decode()
    assert "warning: .env looks like a secret: variables" in told
    assert "warning: pkg/conf.py, line 3, looks like a secret: an AWS access key" in told
    assert KEY not in told
    assert str(project.project) in told
    assert "--exclude-pattern /.env,/pkg/conf.py" in told
    assert "runctl config set code.allow /.env,/pkg/conf.py" in told
    assert stored(project) == []


def test_json_names_the_files(project: Scene) -> None:
    done = project.type(*AWAY, "-o", "json")
    error = error_of(done)
    assert error["exit_code"] == 11
    assert error["details"]["files"] == [".env"]


@pytest.mark.parametrize("words", [["--yes"], ["--exclude-pattern", "/.env"]])
def test_yes_and_leaving_it_here_go_on(project: Scene, words: list[str]) -> None:
    assert NEXT in project.type(*AWAY, *words).stderr


def test_ignoring_it_goes_on(project: Scene) -> None:
    project.write(".runctlignore", "/.env\n")
    done = project.type(*AWAY)
    assert NEXT in done.stderr
    assert b"warning" not in done.stderr


def test_allowing_it_for_good_goes_on(project: Scene) -> None:
    assert project.type("config", "set", "code.allow", "/.env").returncode == 0
    done = project.type(*AWAY)
    assert NEXT in done.stderr
    assert b"warning" not in done.stderr


def test_what_git_tracks_is_told_too(project: Scene) -> None:
    for words in (["init", "-q"], ["add", "-f", ".env"]):
        subprocess.run(["git", *words], cwd=project.project, check=True)
    told = project.type(*AWAY).stderr
    assert b".env looks like a secret: variables (git has it too)" in told


@pytest.mark.parametrize(("answer", "is_sent"), [("n", False), ("", False), ("y", True)])
def test_on_a_terminal_it_asks(project: Scene, answer: str, *, is_sent: bool) -> None:
    told = on_terminal(project, AWAY, answer)
    assert b"Send it to aws:i-0123456789abcdef0 all the same? [y/N]" in told
    assert (NEXT in told) == is_sent
    assert is_sent or stored(project) == []


def on_terminal(scene: Scene, words: list[str], answer: str) -> bytes:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [RUNCTL, *words],
        cwd=scene.project,
        env=scene.env,
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    told = b""
    while True:
        try:
            told += os.read(ours, 4096)
        except OSError:  # it has ended, and its side of the terminal with it
            break
    process.wait(30)
    os.close(ours)
    return told


def test_much_code_is_asked_about(project: Scene) -> None:
    project.write("weights.txt", "x" * 3000)
    less = {"RUNCTL_CONFIG_CODE_WARN_BYTES": "2KiB", "RUNCTL_CONFIG_CODE_ALLOW": ".env"}
    done = project.type(*AWAY, env=less)
    assert done.returncode == 11
    assert b"above code.warn_bytes = 2KiB" in done.stderr
    assert b"--exclude-pattern /weights.txt" in done.stderr
    assert stored(project) == []
    assert NEXT in project.type(*AWAY, "--exclude", "/weights.txt", env=less).stderr


def test_a_run_from_a_checkpoint_is_asked_about_too(project: Scene) -> None:
    project.write("saved/last.json", '{"step": 1}')
    away = {"RUNCTL_CONFIG_RUN_ON": AWAY[-1]}
    words = ["checkpoint", "resume", "saved", "train.py"]
    refused = project.type(*words, env=away)
    assert (refused.returncode, b".env looks like a secret" in refused.stderr) == (11, True)
    assert stored(project) == []
    assert NEXT in project.type(*words, "--yes", env=away).stderr


def test_a_name_with_a_comma_can_be_left_here(project: Scene) -> None:
    (project.project / ".env").rename(project.project / "a,b.env")
    told = project.type(*AWAY).stderr.decode()
    assert r"--exclude-pattern '/a\,b.env'" in told
    assert NEXT in project.type(*AWAY, "--exclude-pattern", r"/a\,b.env").stderr


def test_on_this_machine_it_is_a_note(project: Scene) -> None:
    done = project.type("local", "train.py")
    assert done.returncode == 0
    assert b"runctl: .env looks like a secret" in done.stderr


def test_a_plan_says_it_and_asks_nothing(project: Scene) -> None:
    away = {"RUNCTL_CONFIG_RUN_ON": "aws:i-0123456789abcdef0"}
    done = project.type("sync", "--dry-run", env=away)
    assert done.returncode == 0
    assert b"warning: .env looks like a secret" in done.stdout
    plan = json.loads(project.type(*AWAY, "--dry-run", "-o", "json").stdout)
    assert [one["path"] for one in plan["concerns"]["suspects"]] == [".env"]
    assert plan["concerns"]["destination"] == "aws:i-0123456789abcdef0"
    assert stored(project) == []
