"""What travels is told before it does: which files, why, and what has changed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import error_of, make_scene
from tests.scene import Scene

ODD = os.fsdecode(b"odd\n\xff.txt")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A repository that has run once, and was edited since."""
    made = make_scene(tmp_path_factory.mktemp("travel"))
    made.write("train.py", "print(1)\n")
    made.write("gone.py", "")
    made.write("same.py", "same")
    made.write(".gitignore", "data/\n!data/kept/\n")
    made.write("data/x.csv", "1234")
    made.write("pkg/a.py", "12")
    made.write("checkpoints/best.pt", "tracked")
    _git(made.project, "init", "-q")
    _git(made.project, "add", "-f", "checkpoints/best.pt")
    run = made.type("local", "train.py", "--name", "first")
    assert run.returncode == 0, run.stderr.decode()
    made.write("train.py", "print(2)\n")
    made.write("pkg/new.py", "")
    made.write(ODD, "")
    (made.project / "gone.py").unlink()
    (made.project / "same.py").touch()
    yield made
    made.end_all()


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def plan_of(scene: Scene, *words: str) -> dict[str, Any]:
    done = scene.type(*words, "--dry-run", "-o", "json")
    assert done.returncode == 0, done.stderr.decode()
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


@pytest.mark.parametrize("command", [["sync"], ["train", "train.py"]])
def test_what_changed_since_the_last_run(scene: Scene, command: list[str]) -> None:
    plan = plan_of(scene, *command)
    assert plan["changes"]["name"] == "first"
    assert plan["changes"]["added"] == ["odd\n\\xff.txt", "pkg/new.py"]
    assert plan["changes"]["changed"] == ["train.py"]  # touched is not changed
    assert plan["changes"]["removed"] == ["gone.py"]
    assert not (scene.project / "gone.py").exists()


def test_each_file_with_its_size_and_reason(scene: Scene) -> None:
    plan = plan_of(scene, "sync")
    files = {one["path"]: one for one in plan["files"]}
    assert files["pkg/a.py"]["size_bytes"] == 2
    assert files["checkpoints/best.pt"]["reason"] == "tracked by git"
    assert sum(one["size_bytes"] for one in plan["files"]) == plan["total_bytes"]
    stays = {one["path"]: one["reason"] for one in plan["stays"]}
    assert stays["data"] == "ignored by git: data/ (.gitignore, line 1)"
    assert plan["project_root"] == str(scene.project)
    assert plan["root_reason"] == "git work tree"


def test_files_and_folders_are_explained(scene: Scene) -> None:
    words = [f"--explain={path}" for path in ("data/x.csv", "pkg", "checkpoints", "nothing")]
    explained = {one["path"]: one for one in plan_of(scene, "sync", *words)["explained"]}
    assert not explained["data/x.csv"]["is_in"]
    assert "data/ (.gitignore, line 1)" in explained["data/x.csv"]["reason"]
    assert explained["pkg"]["is_in"]
    assert "2 (2B) travel" in explained["pkg"]["reason"]
    assert "1 (7B) in it travel" in explained["checkpoints"]["reason"]
    assert "no such file" in explained["nothing"]["reason"]


def test_a_path_is_explained_from_where_one_is(scene: Scene) -> None:
    outside = scene.type("sync", "--dry-run", "--explain", "../elsewhere", "-o", "json")
    assert outside.returncode == 2
    assert str(scene.project) in error_of(outside)["message"]
    absolute = plan_of(scene, "sync", "--explain", str(scene.project / "pkg" / "a.py"))
    assert [one["path"] for one in absolute["explained"]] == ["pkg/a.py"]


def test_patterns_change_the_plan(scene: Scene) -> None:
    words = ["--include-pattern", "data/", "--exclude-pattern", "pkg/"]
    paths = [one["path"] for one in plan_of(scene, "sync", *words)["files"]]
    assert "data/x.csv" in paths
    assert "pkg/a.py" not in paths


def test_the_text_has_one_line_for_each_change(scene: Scene) -> None:
    done = scene.type("sync", "--dry-run", "--explain", "data")
    shown = os.fsdecode(done.stdout)
    assert f"project  {scene.project} (git work tree)" in shown
    assert "2 added, 1 changed, 1 removed since run first" in shown
    assert "  + odd\\x0a" in shown
    assert "  ~ train.py\n  - gone.py\n" in shown
    assert "out: data: ignored by git" in shown


def test_ids_are_the_paths(scene: Scene) -> None:
    shown = scene.type("sync", "--dry-run", "-o", "id").stdout
    assert b"pkg/a.py\n" in shown


def test_what_is_too_large_names_the_root_and_a_way_out(scene: Scene) -> None:
    error = error_of(
        scene.type("sync", "--dry-run", "-o", "json", env={"RUNCTL_CONFIG_CODE_MAX_BYTES": "5"})
    )
    assert error["exit_code"] == 11
    assert str(scene.project) in error["message"]
    assert "--exclude-pattern" in error["hint"]


def test_explain_without_a_plan_is_refused(scene: Scene) -> None:
    before = os.listdir(scene.ledger / "runs")
    assert scene.type("train", "train.py", "--explain", "pkg").returncode == 2
    assert os.listdir(scene.ledger / "runs") == before


def test_another_folder_can_be_named(scene: Scene) -> None:
    plan = plan_of(scene, "sync", "--project-root", "pkg")
    assert [one["path"] for one in plan["files"]] == ["a.py", "new.py"]
    assert plan["changes"] is None  # that folder never ran
