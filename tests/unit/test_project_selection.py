"""What travels: as git would carry it, and as people ask for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runctl.errors import NotFoundError, RefusedError, UsageError
from runctl.project import git_state, select_files
from runctl.project.rules import ALWAYS_OUT


@pytest.fixture(autouse=True)
def _plain_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_text(text)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m")
    allow = ("-c", "protocol.file.allow=always")
    subprocess.run(
        ["git", *identity, *allow, *arguments], cwd=folder, check=True, capture_output=True
    )


def commit(root: Path, *paths: str) -> None:
    root.mkdir(exist_ok=True)
    git(root, "init", "-q")
    git(root, "add", "-f", *paths)
    git(root, "commit", "-q", "--allow-empty", "-m", "x")


def listed(root: Path) -> list[str]:
    out = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root
    )
    return sorted(
        {name for name in os.fsdecode(out).split("\0") if name and (root / name).exists()}
    )


AWKWARD = {
    ".gitignore": "data/\n*.log\n!keep.log\n/only_top.txt\n**/deep/*.bin\n",
    "sub/.gitignore": "*.tmp\n!/special.log\n",
    "train.py": "",
    "data/x.csv": "x",
    "only_top.txt": "",
    "sub/only_top.txt": "",
    "run.log": "",
    "keep.log": "",
    "sub/a.tmp": "",
    "sub/special.log": "",
    "sub/deeper/special.log": "",
    "a/deep/x.bin": "",
    "a/deep/x.txt": "",
    "with space.py": "",
    'quote"and\nnewline.py': "",
    os.fsdecode(b"not-utf8-\xff.py"): "",
    ":magic.py": "",
    "ünïcode.py": "",
}
CARRIED = [
    ".gitignore",
    ":magic.py",
    "a/deep/x.txt",
    "keep.log",
    os.fsdecode(b"not-utf8-\xff.py"),
    'quote"and\nnewline.py',
    "sub/.gitignore",
    "sub/deeper",
    "sub/only_top.txt",
    "sub/special.log",
    "train.py",
    "with space.py",
    "ünïcode.py",
]


def test_inside_git_exactly_what_git_carries(root: Path) -> None:
    write(root, AWKWARD)
    commit(root, "train.py", "sub/a.tmp", "data/x.csv")
    (root / "train.py").rename(root / "moved.py")
    found = select_files(root)
    assert [entry.path for entry in found.entries if entry.kind != "folder"] == listed(root)
    assert {"moved.py", "sub/a.tmp", "data/x.csv"} < set(found.paths)
    assert "train.py" not in found.paths


def test_the_same_rules_outside_git(root: Path) -> None:
    write(root, AWKWARD)
    assert select_files(root).paths == CARRIED


def test_without_git_installed_the_same_rules_and_a_note(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, AWKWARD)
    commit(root)
    write(root, {".git/info/exclude": "train.py\n"})
    monkeypatch.setenv("PATH", "")
    found = select_files(root)
    assert found.paths == [path for path in CARRIED if path != "train.py"]
    assert "git is not installed" in found.notes[0]


def test_global_and_local_excludes_are_gits_own(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"home/.config/git/ignore": "*.global\n"})
    write(root, {"a.global": "", "b.local": "", "c.py": ""})
    commit(root)
    write(root, {".git/info/exclude": "*.local\n"})
    assert select_files(root).paths == ["c.py"]


def test_a_root_below_the_work_tree_selects_its_own_part(root: Path) -> None:
    write(root, {".gitignore": "*.csv\n", "a/x.py": "", "a/x.csv": "", "b/y.py": ""})
    commit(root, "a/x.py")
    assert select_files(root / "a").paths == ["x.py"]


def test_a_root_that_git_ignores_as_a_whole_has_its_own_rules(root: Path) -> None:
    write(root, {".gitignore": "scratch/\n", "scratch/t.py": "", "scratch/.gitignore": "*.csv"})
    write(root, {"scratch/x.csv": ""})
    commit(root, ".gitignore")
    found = select_files(root / "scratch")
    assert found.paths == [".gitignore", "t.py"]
    assert "ignores" in found.notes[0]


def test_the_environment_of_a_git_hook_does_not_mislead(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"mine.py": ""})
    write(tmp_path / "other", {"theirs.py": ""})
    commit(root, "mine.py")
    commit(tmp_path / "other", "theirs.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other/.git/index"))
    assert select_files(root).paths == ["mine.py"]


def test_submodules_and_inner_repositories_are_carried_by_their_own_rules(
    root: Path, tmp_path: Path
) -> None:
    write(tmp_path / "lib", {"lib.py": "", ".gitignore": "*.so\n"})
    commit(tmp_path / "lib", ".")
    write(root, {"t.py": "", "inner/i.py": "", "inner/i.so": "", "inner/.gitignore": "*.so\n"})
    commit(root / "inner", "i.py")
    commit(root, "t.py")
    git(root, "submodule", "add", str(tmp_path / "lib"), "lib")
    git(root, "submodule", "add", str(tmp_path / "lib"), "absent")
    git(root, "submodule", "deinit", "-f", "absent")
    write(root, {"lib/x.so": "", "lib/new.py": ""})
    found = select_files(root)
    assert found.paths == [
        ".gitmodules",
        "absent",
        "inner/.gitignore",
        "inner/i.py",
        "lib/.gitignore",
        "lib/lib.py",
        "lib/new.py",
        "t.py",
    ]
    assert any("git submodule update --init absent" in note for note in found.notes)


def test_a_submodule_of_a_submodule_is_asked_too(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "inner", {"i.py": "", ".gitignore": "*.so\n"})
    commit(tmp_path / "inner", ".")
    write(tmp_path / "outer", {"o.py": ""})
    commit(tmp_path / "outer", "o.py")
    git(tmp_path / "outer", "submodule", "add", str(tmp_path / "inner"), "inner")
    git(tmp_path / "outer", "commit", "-q", "-m", "y")
    write(root, {"t.py": ""})
    commit(root, "t.py")
    git(root, "submodule", "add", str(tmp_path / "outer"), "outer")
    git(root, "submodule", "update", "-q", "--init", "--recursive")
    write(root, {"outer/inner/x.so": "", "outer/inner/new.py": ""})
    found = select_files(root)
    assert {"outer/o.py", "outer/inner/i.py", "outer/inner/new.py"} < set(found.paths)
    assert "outer/inner/x.so" not in found.paths
    assert found.explain("outer/inner/i.py") == (True, "tracked by git")


def test_a_tracked_file_is_never_dropped_by_a_rule_of_ours(root: Path) -> None:
    folders = [name for name in ALWAYS_OUT if name != ".git"]
    tracked = [f"{name}/kept.txt" for name in folders] + ["myenv/pyvenv.cfg", "states/1.pt"]
    write(root, dict.fromkeys(tracked, ""))
    commit(root, ".")
    write(root, {f"{name}/new.txt": "" for name in folders})
    found = select_files(root, own_folders=["states"])
    assert found.paths == sorted(tracked)


def test_a_repository_inside_a_plain_folder_is_asked_too(root: Path) -> None:
    write(root, {"t.py": "", "clone/.gitignore": "*.so\n", "clone/built.so": "", "clone/x.so": ""})
    commit(root / "clone", "built.so")
    assert select_files(root).paths == ["clone/.gitignore", "clone/built.so", "t.py"]


def test_a_linked_worktree_is_asked(root: Path, tmp_path: Path) -> None:
    write(root, {"t.py": "", ".gitignore": "*.csv\n"})
    commit(root, ".")
    git(root, "worktree", "add", "-q", str(tmp_path / "linked"))
    write(tmp_path / "linked", {"x.csv": "", "new.py": ""})
    assert select_files(tmp_path / "linked").paths == [".gitignore", "new.py", "t.py"]


OURS = {
    "__pycache__/a.pyc": "",
    "pkg/.mypy_cache/x": "",
    ".venv/lib/x.py": "",
    "myenv/pyvenv.cfg": "",
    "myenv/bin/python": "",
    "checkpoints/last.pt": "",
    "out/states/1.pt": "",
    "wandb/run.json": "",
    "mlruns/0/meta.yaml": "",
    "node_modules/x/index.js": "",
    ".runctl/x": "",
    "pkg/mod.py": "",
    "wandb.py": "",
    ".runctl.toml": "",
}


@pytest.mark.parametrize("is_git", [True, False])
def test_caches_environments_and_checkpoints_stay(root: Path, *, is_git: bool) -> None:
    write(root, OURS)
    if is_git:
        commit(root)
    found = select_files(root, own_folders=["out/states"])
    assert found.paths == [".runctl.toml", "out", "pkg/mod.py", "wandb.py"]
    assert "virtual environment" in found.explain("myenv/bin/python")[1]
    assert "runctl writes" in found.explain("out/states/1.pt")[1]


def test_what_git_tracks_no_rule_of_ours_drops(root: Path) -> None:
    write(root, OURS)
    commit(root, "checkpoints/last.pt", ".venv/lib/x.py")
    write(root, {"checkpoints/new.pt": ""})
    found = select_files(root, own_folders=["out/states"])
    assert {"checkpoints/last.pt", ".venv/lib/x.py"} < set(found.paths)
    assert "checkpoints/new.pt" not in found.paths
    assert found.explain("checkpoints/last.pt") == (True, "tracked by git")


@pytest.mark.parametrize("is_git", [True, False])
def test_include_patterns_bring_back_exactly_theirs(root: Path, *, is_git: bool) -> None:
    write(root, {".gitignore": "data/\n*.csv\n*.bin\n", "t.py": ""})
    write(root, {"data/a.bin": "", "data/in/b.csv": "", "data/empty/": "", "sub/c.csv": ""})
    write(root, {"d.bin": "", "checkpoints/e.csv": "", "checkpoints/best.pt": ""})
    if is_git:
        commit(root, "t.py")

    def brought(*patterns: str) -> set[str]:
        return set(select_files(root, patterns).paths) - set(select_files(root).paths)

    assert brought("data/") == {"data/a.bin", "data/in/b.csv", "data/empty"}
    assert brought("*.csv") == {"data/in/b.csv", "sub/c.csv"}
    assert brought("data/*.bin,sub/*.csv") == {"data/a.bin", "sub/c.csv"}
    assert brought("/d.bin", "data/**/*.csv") == {"d.bin", "data/in/b.csv"}
    assert brought("checkpoints/best.pt") == {"checkpoints/best.pt"}
    assert brought("./checkpoints/") == {"checkpoints/best.pt", "checkpoints/e.csv"}
    assert brought("nothing-like-it") == set()


def test_exclude_patterns_remove_even_what_is_tracked_or_included(root: Path) -> None:
    write(root, {"t.py": "", "big/a.bin": "", "big/b.txt": "", "data/c.csv": "", "data/d.tmp": ""})
    write(root, {".gitignore": "data/\n"})
    commit(root, "big")
    found = select_files(root, ["data/"], ["big/,*.tmp"])
    assert found.paths == [".gitignore", "data/c.csv", "t.py"]
    assert found.explain("big/a.bin") == (False, "excluded by 'big/'")
    assert found.explain("data/c.csv") == (True, "brought back by 'data/'")


def test_a_required_file_travels_whatever_a_rule_says(root: Path) -> None:
    write(root, {".gitignore": "scratch/\n", "scratch/a/train.py": "", "scratch/b.py": ""})
    commit(root, ".gitignore")
    found = select_files(root, exclude=["*.py"], required=["scratch/a/train.py"])
    assert found.paths == [".gitignore", "scratch/a/train.py"]


def test_a_pattern_that_changes_nothing_is_noted(root: Path) -> None:
    write(root, {"t.py": ""})
    assert select_files(root, ["*.csv"], ["*.tmp"]).notes == (
        "--include-pattern '*.csv' changed nothing",
        "--exclude-pattern '*.tmp' changed nothing",
    )


def test_a_comma_in_a_name_can_be_escaped(root: Path) -> None:
    write(root, {"a,b.txt": "", "b.txt": ""})
    assert select_files(root, exclude=[r"a\,b.txt"]).paths == ["b.txt"]


@pytest.mark.parametrize("pattern", ["../x", "a/../../x", "!x", "a[", "~/data"])
def test_a_pattern_that_cannot_match_is_named(root: Path, pattern: str) -> None:
    root.mkdir()
    with pytest.raises(UsageError) as caught:
        select_files(root, [pattern])
    assert pattern in caught.value.message


def test_runctlignore_is_on_top_of_git(root: Path) -> None:
    write(root, {".gitignore": "data/\n", "data/x.csv": "", "notes.md": "", "sub/y.md": ""})
    write(root, {".runctlignore": "*.md\n!data/\n", "sub/.runctlignore": "!y.md\n", "t.py": ""})
    commit(root, "notes.md")
    found = select_files(root)
    assert found.paths == [
        ".gitignore",
        ".runctlignore",
        "data/x.csv",
        "sub/.runctlignore",
        "sub/y.md",
        "t.py",
    ]
    assert found.explain("notes.md") == (False, ".runctlignore, line 1: *.md")


def test_modes_links_sizes_and_empty_folders_are_kept(root: Path) -> None:
    write(root, {"run.sh": "echo", "plain.txt": "12345", "empty/inner/": ""})
    (root / "run.sh").chmod(0o755)
    (root / "plain.txt").chmod(0o640)
    (root / "empty/inner").chmod(0o700)
    (root / "link").symlink_to("plain.txt")
    (root / "dangling").symlink_to("not/there")
    found = select_files(root)
    assert [(e.path, e.kind, oct(e.mode), e.size_bytes, e.target) for e in found.entries] == [
        ("dangling", "link", "0o777", 0, "not/there"),
        ("empty/inner", "folder", "0o700", 0, None),
        ("link", "link", "0o777", 0, "plain.txt"),
        ("plain.txt", "file", "0o640", 5, None),
        ("run.sh", "file", "0o755", 4, None),
    ]
    assert found.total_bytes == 9


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "sub/../../outside", "hop/out"])
def test_a_link_that_leads_out_is_refused_by_name(root: Path, target: str) -> None:
    write(root, {"sub/t.py": "", ".gitignore": "hop/\n"})
    write(root, {"hop/x": ""})
    (root / "hop/out").symlink_to("/etc")
    (root / "bad").symlink_to(target)
    with pytest.raises(RefusedError) as caught:
        select_files(root)
    assert f"bad -> {target}" in caught.value.message
    assert f"the project {root}" in caught.value.message
    assert "bad" not in select_files(root, exclude=["/bad"]).paths


def test_a_link_with_dots_that_stays_inside_is_kept(root: Path) -> None:
    write(root, {"a/b/t.py": "", "c.py": ""})
    (root / "a/b/link").symlink_to("../../c.py")
    (root / "a/loop").symlink_to("loop")
    assert {"a/b/link", "a/loop"} < set(select_files(root).paths)


def test_a_link_to_a_virtual_environment_stays(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"envs/x/pyvenv.cfg": ""})
    write(root, {"t.py": ""})
    (root / ".venv").symlink_to(tmp_path / "envs/x")
    (root / "other").symlink_to(tmp_path / "envs/x")
    assert select_files(root).paths == ["t.py"]


def test_a_linked_folder_is_a_link_and_not_entered(root: Path) -> None:
    write(root, {"real/t.py": ""})
    (root / "alias").symlink_to("real")
    assert select_files(root).paths == ["alias", "real/t.py"]


def test_a_pipe_does_not_travel_and_is_noted(root: Path) -> None:
    write(root, {"t.py": ""})
    os.mkfifo(root / "pipe")
    found = select_files(root)
    assert found.paths == ["t.py"]
    assert "pipe is a socket, pipe or device" in found.notes[0]


def test_an_unknown_repository_owner_is_refused_with_gits_remedy(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"t.py": ""})
    commit(root, "t.py")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(RefusedError) as caught:
        select_files(root)
    assert caught.value.hint == f"git config --global --add safe.directory {root}"


def test_a_broken_repository_is_refused_with_gits_words(root: Path) -> None:
    write(root, {"t.py": ""})
    commit(root, "t.py")
    (root / ".git/index").write_bytes(b"garbage")
    with pytest.raises(RefusedError, match="index file"):
        select_files(root)


def test_a_missing_root_is_not_found(root: Path) -> None:
    with pytest.raises(NotFoundError):
        select_files(root)


def test_git_state_before_and_after_changes(root: Path) -> None:
    write(root, {"t.py": "", ".gitignore": "*.csv\n"})
    commit(root, "t.py", ".gitignore")
    write(root, {"x.csv": ""})
    clean = git_state(root)
    assert clean is not None
    assert (len(clean.commit or ""), clean.is_dirty, clean.branch) == (40, False, "m")
    write(root, {"new.py": ""})
    git(root, "checkout", "-q", "--detach")
    dirty = git_state(root)
    assert dirty is not None
    assert (dirty.commit, dirty.is_dirty, dirty.branch) == (clean.commit, True, None)


def test_git_state_without_commits_or_repository(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir()
    assert git_state(root) is None
    git(root, "init", "-q")
    empty = git_state(root)
    assert empty is not None
    assert (empty.commit, empty.is_dirty) == (None, False)
    monkeypatch.setenv("PATH", "")
    assert git_state(root) is None
