"""What git says: which files it tracks, which it ignores, and where it stands.

Git is asked, never imitated. It gets argv lists, an environment without the variables that
would turn it to another repository (as in a hook), and takes no locks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Container
from pathlib import Path
from typing import Self

from msgspec import Struct

from runctl.errors import RefusedError
from runctl.project.root import find_worktree

_ELSEWHERE = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}


def has_git() -> bool:
    """Is there a git to ask?"""
    return shutil.which("git") is not None


class GitState(Struct, frozen=True):
    """Commit (None before the first), branch (None when detached), and whether files differ.

    Dirty also means files that are not tracked and not ignored: they travel too.
    """

    commit: str | None
    is_dirty: bool
    branch: str | None


def git_state(root: Path) -> GitState | None:
    """Where git stands in ``root``; None outside a work tree, or without git.

    Raises RefusedError when git will not answer, as for a repository of another owner.
    """
    if find_worktree(root) is None or not has_git():
        return None
    fields = _ask(root, "status", "--porcelain=v2", "--branch", "-z", "--", ".").split(b"\0")
    header = dict(f[2:].split(b" ", 1) for f in fields if f.startswith(b"# branch."))
    commit, branch = os.fsdecode(header[b"branch.oid"]), os.fsdecode(header[b"branch.head"])
    return GitState(
        commit=None if commit == "(initial)" else commit,
        is_dirty=any(field and not field.startswith(b"# ") for field in fields),
        branch=None if branch == "(detached)" else branch,
    )


class GitListing:
    """What git would carry of the folder ``root``, asked once.

    Paths are posix, and start with ``prefix``: ``""``, or ``sub/module/`` for a repository inside
    the project. Close it after use: a ``git check-ignore`` may be running.
    """

    def __init__(self, root: Path, prefix: str = "") -> None:
        self._root, self._prefix = root, prefix
        self._asking: subprocess.Popen[bytes] | None = None
        out = _ask(root, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
        tagged = os.fsdecode(out).split("\0")[:-1]
        self._tracked = {prefix + entry[2:] for entry in tagged if entry[0] != "?"}
        self._others = {prefix + entry[2:] for entry in tagged if entry[0] == "?"}
        self._tracked_folders = _folders_of(self._tracked)
        self._folders = self._tracked_folders | _folders_of(self._others)

    def is_tracked(self, path: str) -> bool:
        return path in self._tracked

    def holds_tracked(self, folder: str) -> bool:
        return folder in self._tracked_folders

    def is_nested(self, folder: str) -> bool:
        """Is the folder a submodule, or an untracked repository inside this one?"""
        is_submodule = folder in self._tracked and folder not in self._folders
        return is_submodule or folder + "/" in self._others

    def enter(self, folder: str, names: Container[str]) -> GitListing:  # noqa: ARG002
        """Git has read its ignore files already."""
        return self

    def why_ignored(self, path: str, *, is_folder: bool) -> str | None:
        """The reason why git leaves the path out, or None when it carries it."""
        if is_folder:
            is_known = path in self._folders or self.is_nested(path)
            return None if is_known else self._check_ignore(path)
        is_listed = path in self._tracked or path in self._others
        return None if is_listed else "ignored by git"

    def _check_ignore(self, path: str) -> str | None:
        """Ask about a folder of which nothing is listed: it is ignored, or holds nothing."""
        source, line, pattern = self._exchange(path)
        is_ignored = bool(pattern) and not pattern.startswith("!")
        return f"ignored by git: {pattern} ({source}, line {line})" if is_ignored else None

    def _exchange(self, path: str) -> tuple[str, str, str]:
        if self._asking is None:
            self._asking = subprocess.Popen(
                ["git", "check-ignore", "-z", "--verbose", "--non-matching", "--stdin"],
                cwd=self._root,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        assert self._asking.stdin is not None  # noqa: S101 - both are pipes
        assert self._asking.stdout is not None  # noqa: S101
        # "./" keeps a name that starts with ":" from being read as pathspec magic.
        self._asking.stdin.write(os.fsencode("./" + path.removeprefix(self._prefix)) + b"\0")
        self._asking.stdin.flush()
        answer = b""
        while answer.count(b"\0") < 4:
            chunk = os.read(self._asking.stdout.fileno(), 65536)
            if not chunk:
                raise self._no_answer(path)
            answer += chunk
        source, line, pattern, _ = os.fsdecode(answer).split("\0", 3)
        return source, line, pattern

    def _no_answer(self, path: str) -> RefusedError:
        assert self._asking is not None  # noqa: S101
        _, error = self._asking.communicate()
        return _refusal(self._root, f"whether {path} is ignored", error)

    def close(self) -> None:
        if self._asking is not None:
            self._asking.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _folders_of(paths: set[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def is_ignored_root(root: Path) -> bool:
    """Does the repository around ``root`` ignore all of it?"""
    return _run(root, "check-ignore", "--quiet", ".").returncode == 0


def _ask(root: Path, *arguments: str) -> bytes:
    done = _run(root, *arguments)
    if done.returncode != 0:
        raise _refusal(root, f"git {arguments[0]}", done.stderr)
    return done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _refusal(root: Path, what: str, error: bytes) -> RefusedError:
    words = os.fsdecode(error).strip()
    if "dubious ownership" in words:
        return RefusedError(
            f"git does not trust the repository at {root}: it belongs to another user",
            hint=f"git config --global --add safe.directory {root}",
        )
    return RefusedError(
        f"git could not say which files of {root} it carries ({what}): {words}",
        hint=f"git -C {root} status",
    )
