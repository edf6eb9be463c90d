"""The project root is decided from where the script lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.errors import NotFoundError, RefusedError, UsageError
from runctl.project import find_root


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def make(home: Path, *paths: str) -> Path:
    """Make each path below the home folder, a folder if it ends with a slash."""
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (home / path).mkdir(parents=True, exist_ok=True)
        else:
            (home / path).touch()
    return home / paths[-1]


def test_an_explicit_file_inside_a_repository_wins(home: Path) -> None:
    script = make(home, "repo/.git/HEAD", "repo/a/.runctl.toml", "repo/a/b/train.py")
    found = find_root(script)
    assert (found.path, found.script) == (home / "repo/a", "b/train.py")
    assert found.reason == "nearest .runctl.toml"


def test_the_innermost_explicit_file_wins(home: Path) -> None:
    script = make(home, "p/.runctl.toml", "p/q/.runctl.toml", "p/q/train.py")
    assert find_root(script).path == home / "p/q"


def test_an_explicit_file_above_the_repository_is_not_looked_at(home: Path) -> None:
    script = make(home, ".runctl.toml", "up/.runctl.toml", "up/repo/.git/HEAD", "up/repo/t.py")
    assert find_root(script).path == home / "up/repo"


def test_a_package_in_a_monorepo_is_no_root(home: Path) -> None:
    script = make(home, "repo/.git/HEAD", "repo/pkg/pyproject.toml", "repo/pkg/train.py")
    found = find_root(script)
    assert (found.path, found.reason, found.script) == (
        home / "repo",
        "git work tree",
        "pkg/train.py",
    )


def test_a_linked_worktree_or_submodule_is_a_root_of_its_own(home: Path) -> None:
    script = make(home, "repo/.git/HEAD", "repo/sub/.git", "repo/sub/train.py")
    assert find_root(script).path == home / "repo/sub"


def test_an_empty_git_folder_is_no_repository(home: Path) -> None:
    script = make(home, "p/.git/", "p/q/train.py")
    assert find_root(script).path == home / "p/q"


@pytest.mark.parametrize("marker", ["pyproject.toml", "setup.py", "uv.lock", "requirements.txt"])
def test_outside_git_the_nearest_marker_wins(home: Path, marker: str) -> None:
    script = make(home, "p/pyproject.toml", f"p/q/{marker}", "p/q/r/train.py")
    found = find_root(script)
    assert (found.path, found.reason) == (home / "p/q", f"nearest {marker}")


def test_a_lone_script_has_its_own_folder(home: Path) -> None:
    found = find_root(make(home, "x/train me.py"))
    assert (found.path, found.reason) == (home / "x", "the script's folder")
    assert found.script == "train me.py"


def test_what_lies_in_the_home_folder_does_not_make_it_a_root(home: Path) -> None:
    script = make(home, ".git/HEAD", "pyproject.toml", ".runctl.toml", "x/train.py")
    assert find_root(script).path == home / "x"


def test_a_script_directly_in_the_home_folder_is_refused(home: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        find_root(make(home, ".git/HEAD", "train.py"))
    assert "--project-root" in (caught.value.hint or "")
    assert find_root(home / "train.py", home).path == home


def test_an_explicit_file_allows_the_home_folder(home: Path) -> None:
    assert find_root(make(home, ".runctl.toml", "train.py")).path == home


def test_a_relative_script_is_taken_from_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(home, "p/setup.py", "p/q/train.py")
    monkeypatch.chdir(home / "p/q")
    assert find_root(Path("../q/train.py")).script == "q/train.py"


def test_a_symlinked_project_folder_is_resolved(home: Path) -> None:
    make(home, "data/p/setup.py", "data/p/q/train.py")
    (home / "p").symlink_to("data/p")
    found = find_root(home / "p/q/train.py")
    assert (found.path, found.script) == (home / "data/p", "q/train.py")


def test_an_override_must_hold_the_script(home: Path) -> None:
    script = make(home, "a/", "b/train.py")
    with pytest.raises(UsageError, match="outside the project root"):
        find_root(script, home / "a")
    assert find_root(script, home).script == "b/train.py"


def test_an_override_must_be_a_folder(home: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        find_root(make(home, "a/train.py"), home / "nowhere")


def test_an_override_may_be_named_through_a_symlink(home: Path) -> None:
    script = make(home, "data/p/train.py")
    (home / "p").symlink_to("data/p")
    assert find_root(script, home / "p").script == "train.py"
