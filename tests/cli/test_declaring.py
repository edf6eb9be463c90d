"""What is declared is read before anything is begun: the plan says it, a refusal comes first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from tests.cli.projects import fill
from tests.scene import Scene

PYPROJECT = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["signpost"]\n'
LOCK = """\
version = 1
[[package]]
name = "mine"
version = "1"
source = { virtual = "." }
[package.metadata]
requires-dist = [{ name = "other" }]
"""


@pytest.fixture
def project(scene: Scene) -> Scene:
    return fill(scene)


def environment_of(project: Scene, *words: str) -> str:
    done = project.type("train", "slow.py", "--dry-run", "--output", "json", *words)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["environment"])


def write_requirements(project: Scene) -> str:
    project.write("requirements.txt", "signpost\n")
    return "requirements.txt is the nearest declaration"


def write_project(project: Scene) -> str:
    write_requirements(project)
    project.write("pyproject.toml", PYPROJECT)
    return "pyproject.toml is the nearest declaration"


def write_script(project: Scene) -> str:
    write_project(project)
    project.write("slow.py", "# /// script\n# dependencies = []\n# ///\n")
    return "the script carries its own metadata"


@pytest.mark.parametrize("write", [write_requirements, write_project, write_script])
def test_plan_says_what_decides(project: Scene, write: Callable[[Scene], str]) -> None:
    assert environment_of(project) == "the project declares no dependencies"
    assert environment_of(project, "--no-install") == "installation is switched off"
    expected = write(project)
    assert environment_of(project) == expected


def test_plan_sees_only_what_travels(project: Scene) -> None:
    write_project(project)
    words = ("--exclude-pattern", "pyproject.toml")
    assert environment_of(project, *words).startswith("requirements.txt")


def test_named_requirements_travel_whatever_a_rule_says(project: Scene) -> None:
    project.write("one.txt", "")
    project.write("two.txt", "")
    words = ("--requirements", "one.txt", "--requirements", "two.txt", "--exclude", "*.txt")
    assert environment_of(project, *words) == "one.txt, two.txt were asked for"


@pytest.mark.parametrize(
    ("files", "words", "told"),
    [
        ({"environment.yml": "name: x\n"}, (), b"requirements.txt"),
        ({"pyproject.toml": PYPROJECT, "uv.lock": LOCK}, (), b"uv lock"),
        ({"pyproject.toml": PYPROJECT}, ("--extra", "gpu"), b"--extra"),
        ({"requirements.txt": "-r gone.txt\n"}, (), b"gone.txt"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    project: Scene, files: dict[str, str], words: tuple[str, ...], told: bytes
) -> None:
    for name, text in files.items():
        project.write(name, text)
    done = project.type("train", "slow.py", *words)
    assert (done.returncode, told in done.stderr) == (22, True), done.stderr
    assert not (project.ledger / "runs").exists() or os.listdir(project.ledger / "runs") == []


@pytest.mark.parametrize("plan", [(), ("--dry-run",)])
def test_wheels_that_are_not_sent_are_told(scene: Scene, plan: tuple[str, ...]) -> None:
    scene.write("train.py", "print('trained')\n")
    words = ("train", "train.py", *plan)
    done = scene.type(*words, "--stage-wheels")
    assert done.returncode == 0, done.stderr
    said = b"--stage-wheels sends nothing"
    assert said in done.stdout + done.stderr
    usual = scene.type(*words)
    assert said not in usual.stdout + usual.stderr
