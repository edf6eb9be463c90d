"""The shell completes words, and pays little for it."""

from __future__ import annotations

import subprocess

import pytest

from tests.scene import RUNCTL, Scene


def complete(scene: Scene, words: str) -> list[str]:
    count = str(len(words.split(" ")) - 1)
    env = {"_RUNCTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    done = scene.type(env=env)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return [line.partition(",")[2] for line in done.stdout.decode().splitlines()]


def test_commands_are_completed(scene: Scene) -> None:
    assert complete(scene, "runctl st") == ["status", "stop"]
    assert complete(scene, "runctl config s") == ["set", "show"]


def test_options_are_completed_global_ones_too(scene: Scene) -> None:
    assert complete(scene, "runctl train --ret") == ["--retries", "--retry-on"]
    assert complete(scene, "runctl status --out") == ["--output"]
    assert complete(scene, "runctl status --output ") == ["text", "json", "id"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(scene: Scene, shell: str) -> None:
    done = scene.type("completion", shell)
    assert done.returncode == 0
    assert b"_RUNCTL_COMPLETE" in done.stdout


def test_the_script_for_bash_is_bash(scene: Scene) -> None:
    script = scene.type("completion").stdout
    assert subprocess.run(["bash", "-n"], input=script, check=False).returncode == 0


def test_an_unknown_shell_is_wrong_usage(scene: Scene) -> None:
    done = scene.type("completion", "tcsh")
    assert done.returncode == 2
    assert b"bash" in done.stderr


def test_the_installed_program_is_what_is_tested() -> None:
    assert subprocess.run([RUNCTL, "--version"], check=False, capture_output=True).stdout
