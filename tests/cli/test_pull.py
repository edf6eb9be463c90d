"""What a run has left comes back: all, or what is asked for, whole, over nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import error_of, make_scene
from tests.scene import Scene

MAKE = """\
import os
out = os.environ["RUNCTL_OUTPUT_DIR"]
os.mkdir(os.path.join(out, "plots"))
for name, text in {"metrics.json": "{}", "plots/a.png": "aa", "plots/b c.png": "bbb",
                   "odd[1].txt": "odd", "a.png": "top"}.items():
    with open(os.path.join(out, name), "w") as file:
        file.write(text)
"""
ALL = {
    "a.png": b"top",
    "metrics.json": b"{}",
    "odd[1].txt": b"odd",
    "plots/a.png": b"aa",
    "plots/b c.png": b"bbb",
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = make_scene(tmp_path_factory.mktemp("pull"))
    made.write("make.py", MAKE)
    assert made.type("local", "make.py", "--name", "maker").returncode == 0
    yield made
    made.end_all()


def brought(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def pull(scene: Scene, *words: str) -> dict[str, Any]:
    done = scene.type("pull", "maker", *words, "-o", "json")
    assert done.returncode == 0, done.stderr.decode()
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_all_of_it_goes_into_a_folder_named_after_the_run(scene: Scene) -> None:
    told = pull(scene)
    assert brought(scene.project / "maker") == ALL
    assert told["total_bytes"] == sum(map(len, ALL.values()))
    assert not any(one["was_there"] for one in told["files"])
    assert all(one["was_there"] for one in pull(scene)["files"])


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["metrics.json"], {"metrics.json"}),
        (["odd[1].txt"], {"odd[1].txt"}),
        (["plots"], {"plots/a.png", "plots/b c.png"}),
        (["plots/"], {"plots/a.png", "plots/b c.png"}),
        (["*.png"], {"a.png", "plots/a.png", "plots/b c.png"}),
        (["plots/*.png", "a.png"], {"a.png", "plots/a.png", "plots/b c.png"}),
    ],
)
def test_a_file_a_folder_or_a_glob(
    scene: Scene, tmp_path: Path, asked: list[str], names: set[str]
) -> None:
    pull(scene, *asked, "--into", str(tmp_path / "to"))
    assert brought(tmp_path / "to") == {name: ALL[name] for name in names}


def test_a_dry_run_lists_with_sizes_and_brings_nothing(scene: Scene, tmp_path: Path) -> None:
    done = scene.type("pull", "maker", "plots", "--into", str(tmp_path / "to"), "--dry-run")
    lines = done.stdout.decode().splitlines()
    assert [line.split(maxsplit=1) for line in lines[1:3]] == [
        ["2B", "plots/a.png"],
        ["3B", "plots/b c.png"],
    ]
    assert "5B would come into" in lines[3]
    assert not (tmp_path / "to").exists()


def test_what_is_not_there_is_told_with_the_way_to_the_list(scene: Scene, tmp_path: Path) -> None:
    words = ["pull", "maker", "metrics.json", "absent", "--into", str(tmp_path / "to")]
    error = error_of(scene.type(*words, "-o", "json"))
    assert error["exit_code"] == 4
    assert "absent" in error["message"]
    assert error["hint"].endswith("--dry-run")
    assert not (tmp_path / "to").exists()


def test_something_else_is_never_replaced(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    error = error_of(scene.type("pull", "maker", "--into", str(tmp_path), "-o", "json"))
    assert error["exit_code"] == 5
    assert "--into" in error["hint"]
    assert brought(tmp_path) == {"a.png": b"mine"}  # nor is anything else brought


def test_a_damaged_part_leaves_no_file_behind(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.write("make.py", MAKE)
    assert scene.type("local", "make.py", "--name", "maker").returncode == 0
    blob = scene.ledger / "blobs" / hashlib.sha256(b"bbb").hexdigest()
    os.chmod(blob, 0o600)
    blob.write_bytes(b"bbX")
    error = error_of(scene.type("pull", "maker", "plots/b c.png", "--into", "to", "-o", "json"))
    assert error["exit_code"] == 10
    assert brought(scene.project / "to") == {}


def test_a_run_that_goes_on_says_how_to_look(scene: Scene) -> None:
    scene.write("slow.py", MAKE + "import time\ntime.sleep(60)\n")
    run_id = scene.launch("slow.py", "--name", "slow")
    scene.wait_for("its outputs", (scene.outputs(run_id) / "a.png").exists)
    error = error_of(scene.type("pull", "slow", "-o", "json"))
    assert error["exit_code"] == 75
    assert error["hint"] == f"runctl wait {run_id}"
    assert "a.png 3B, metrics.json 2B" in error["message"]
    assert "13B in all" in error["message"]
    assert scene.type("stop", run_id, "--now").returncode == 0
    assert scene.type("pull", "slow").returncode == 0  # what it had written was stored
    assert brought(scene.project / "slow") == ALL
