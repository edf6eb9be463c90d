"""Help and completion import little: what they must not import is named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.scene import Scene

HEAVY = {"boto3", "botocore", "rich", "obstore", "textual", "msgspec", "logging", "tomlkit"}


def imported(scene: Scene, *words: str, **env: str) -> set[str]:
    """The top-level packages that the command imports, whatever its exit status."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "runctl", *words],
        cwd=scene.project,
        env=scene.env | env,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert "runctl.cli.main" in names
    return {name.partition(".")[0] for name in names} | {n for n in names if "runctl" in n}


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["rm", "--help"], ["version"]])
def test_help_imports_nothing_heavy(scene: Scene, words: list[str]) -> None:
    found = imported(scene, *words)
    assert not found & (HEAVY | {"runctl.client", "runctl.engine"})


def test_the_list_of_commands_imports_no_command(scene: Scene) -> None:
    assert "runctl.cli.train" not in imported(scene, "--help")


def test_completion_imports_nothing_heavy(scene: Scene) -> None:
    env = {"_RUNCTL_COMPLETE": "bash_complete", "COMP_WORDS": "runctl tr", "COMP_CWORD": "1"}
    found = imported(scene, **env)
    assert not found & (HEAVY | {"runctl.client", "runctl.cli.train"})


def test_a_list_of_runs_imports_neither_rich_nor_boto3(scene: Scene) -> None:
    assert not imported(scene, "runs") & {"rich", "boto3", "textual", "tomlkit", "logging"}
