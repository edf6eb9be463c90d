"""Selection agrees with git, on any tree and any ignore rules."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.project import select_files

names = st.sampled_from(["a", "b", "c.py", "d.csv", "e f", "[x]", "#h", "!n"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
rules = st.sampled_from(
    [
        "a",
        "a/",
        "/b",
        "*.csv",
        "!*.csv",
        "a/*",
        "!a/b",
        "**/b",
        "b/**",
        "!c.py",
        "\\#h",
        "[x]",
        "e f",
    ]
)
ignore_files = st.dictionaries(
    st.sampled_from(["", "a/", "b/", "a/b/"]), st.lists(rules, max_size=4), max_size=3
)


@pytest.fixture(autouse=True, scope="module")
def _git_without_settings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        yield


def build(root: Path, files: set[str], ignores: dict[str, list[str]]) -> None:
    """Make what can be made: a name is a file where it came first, and a folder elsewhere."""
    for path in [*files, *(folder + ".gitignore" for folder in ignores)]:
        target = root / path
        if any(parent.is_file() for parent in target.parents) or target.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(ignores.get(path.removesuffix(".gitignore"), [])))


def select(root: Path) -> list[str]:
    return [entry.path for entry in select_files(root).entries if entry.kind == "file"]


def ask_git(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    return sorted(filter(None, subprocess.check_output(command, cwd=root).decode().split("\0")))


@given(st.sets(paths, min_size=1, max_size=10), ignore_files)
def test_with_and_without_git_the_same_files_travel(
    files: set[str], ignores: dict[str, list[str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root, files, ignores)
        without_git = select(root)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        assert select(root) == without_git == ask_git(root)
