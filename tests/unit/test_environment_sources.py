from __future__ import annotations

from pathlib import Path

import pytest

from runctl.agent.environment import Settings, detect, get_kind
from runctl.agent.environment.recipe import read_recipe
from runctl.agent.environment.sources import Lock, Project, Requirements, read_inline
from runctl.errors import PhaseFailed

PROJECT = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["signpost>=1, <2"]\n'
LOCK = """
version = 1
requires-python = ">=3.11"
[[package]]
name = "mine"
source = {{ editable = "{place}" }}
dependencies = [{{ name = "signpost" }}]
[package.metadata]
requires-dist = [{{ name = "signpost", specifier = "{specifier}" }}]
[[package]]
name = "signpost"
version = "1.0"
source = {{ registry = "https://index.invalid/simple" }}
"""


def put(tree: Path, name: str, text: str = "") -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def find(tree: Path, script: str = "train.py", settings: Settings | None = None) -> str:
    return get_kind(detect(tree, Path(script), settings or Settings()))


def test_order_within_a_folder(tmp_path: Path) -> None:
    assert find(tmp_path) == "none"
    put(tmp_path, "setup.py")
    assert find(tmp_path) == "setup.py"
    put(tmp_path, "requirements.txt")
    assert find(tmp_path) == "requirements"
    put(tmp_path, "pyproject.toml", PROJECT)
    assert find(tmp_path) == "pyproject"
    put(tmp_path, "uv.lock", LOCK.format(place=".", specifier=">=1,<2"))
    assert find(tmp_path) == "uv.lock"
    put(tmp_path, "train.py", "# /// script\n# dependencies = []\n# ///\n")
    assert find(tmp_path) == "script"
    put(tmp_path, "other.txt")
    assert find(tmp_path, settings=Settings(requirements=("other.txt",))) == "requirements"
    assert find(tmp_path, settings=Settings(install=False)) == "none"


def test_nearest_to_the_script_wins(tmp_path: Path) -> None:
    put(tmp_path, "pyproject.toml", PROJECT)
    put(tmp_path, "uv.lock", LOCK.format(place=".", specifier=">=1,<2"))
    put(tmp_path, "examples/digits/requirements.txt")
    source = detect(tmp_path, tmp_path / "examples/digits/train.py", Settings())
    assert isinstance(source, Requirements)
    assert source.path == "examples/digits/requirements.txt"
    assert find(tmp_path, "examples/other/train.py") == "uv.lock"


def test_nothing_above_the_tree_is_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "requirements.txt")
    put(tmp_path, "tree/train.py")
    assert find(tmp_path / "tree") == "none"


def test_settings_of_tools_declare_nothing(tmp_path: Path) -> None:
    put(tmp_path, "pyproject.toml", "[tool.ruff]\nline-length = 100\n")
    assert find(tmp_path) == "none"
    put(tmp_path, "requirements.txt")
    assert find(tmp_path) == "requirements"


def test_member_of_a_workspace_is_governed_by_its_lock(tmp_path: Path) -> None:
    put(tmp_path, "pyproject.toml", PROJECT)
    put(tmp_path, "uv.lock", LOCK.format(place="parts/mine", specifier=">=1,<2"))
    put(tmp_path, "parts/mine/pyproject.toml", PROJECT)
    put(tmp_path, "parts/stranger/pyproject.toml", PROJECT)
    source = detect(tmp_path, Path("parts/mine/train.py"), Settings())
    assert source == Lock(
        "uv.lock", "parts/mine", "parts/mine is a member of the workspace that uv.lock locks"
    )
    assert isinstance(detect(tmp_path, Path("parts/stranger/train.py"), Settings()), Project)


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("environment.yml", "dependencies: [numpy]\n", "requirements.txt"),
        ("environment.yaml", "dependencies: [numpy]\n", "requirements.txt"),
        ("Pipfile", "[packages]\n", "pipenv requirements"),
        ("pyproject.toml", "[tool.poetry.dependencies]\nnumpy = '*'\n", "poetry export"),
    ],
)
def test_what_cannot_be_honoured_is_refused_unless_something_else_can(
    tmp_path: Path, name: str, text: str, hint: str
) -> None:
    put(tmp_path, name, text)
    with pytest.raises(PhaseFailed, match=name) as caught:
        find(tmp_path)
    assert hint in str(caught.value.hint)
    put(tmp_path, "requirements.txt")
    assert find(tmp_path) == "requirements"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pyproject.toml", "[project\n", "line 1"),
        ("train.py", "# /// script\n# dependencies = [\n# ///\n", "not valid TOML"),
        ("train.py", "# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", "2 script"),
        ("uv.lock", "version = 1\n", "no pyproject.toml"),
    ],
)
def test_what_is_malformed_is_told(tmp_path: Path, name: str, text: str, words: str) -> None:
    put(tmp_path, name, text)
    with pytest.raises(PhaseFailed, match=words):
        find(tmp_path)


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhaseFailed, match=r"gpu\.txt"):
        find(tmp_path, settings=Settings(requirements=("gpu.txt",)))


def test_script_metadata_with_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(
        b'#!/usr/bin/env python\r\n# /// script\r\n# dependencies = ["a"]\r\n#\r\n# ///\r\n'
    )
    assert read_inline(path) == {"dependencies": ["a"]}


def test_other_blocks_in_a_script_are_not_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("# /// other\n# a = 1\n# ///\nprint('# /// script')\n")
    assert read_inline(path) is None


@pytest.mark.parametrize(
    ("specifier", "is_stale"),
    [(">=1,<2", False), ("<2,>=1", False), (">=1", True), (">=1,<3", True)],
)
def test_lock_is_compared_with_the_project(tmp_path: Path, specifier: str, is_stale: bool) -> None:
    put(tmp_path, "pyproject.toml", PROJECT)
    put(tmp_path, "uv.lock", LOCK.format(place=".", specifier=specifier))
    source = detect(tmp_path, Path("train.py"), Settings())
    if is_stale:
        with pytest.raises(PhaseFailed, match="signpost"):
            read_recipe(tmp_path, source, Settings())
    else:
        assert read_recipe(tmp_path, source, Settings()) is not None
