"""Ignore files as git reads them: ``.runctlignore``, and ``.gitignore`` where git is absent."""

from __future__ import annotations

import codecs
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runctl.errors import RefusedError
from runctl.project.git import has_git
from runctl.project.root import is_worktree

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

GIT_IGNORE = ".gitignore"
RUNCTL_IGNORE = ".runctlignore"


class Verdict(NamedTuple):
    """What an ignore file says of a path, and which line of it."""

    is_ignored: bool
    reason: str


class _Layer(NamedTuple):
    """One ignore file: the folder it speaks for (``""`` or ``a/b/``), its name, its lines."""

    base: str
    source: str
    lines: list[str]
    spec: GitIgnoreSpec


class IgnoreFiles:
    """The ignore files of one name that bear on one folder, outermost first; immutable."""

    def __init__(self, root: Path, name: str, layers: tuple[_Layer, ...] = ()) -> None:
        self._root, self._name, self._layers = root, name, layers

    def enter(self, folder: str, names: Container[str]) -> IgnoreFiles:
        """The rules in ``folder`` (relative, ``""`` for the root), which holds ``names``."""
        source = f"{folder}/{self._name}".lstrip("/")
        if self._name not in names or not (self._root / source).is_file():
            return self
        return self.read(source, folder + "/" if folder else "")

    def read(self, source: str, base: str) -> IgnoreFiles:
        """Add the rules of the file ``source`` for all below ``base``."""
        try:
            text = (self._root / source).read_bytes()
        except OSError as error:
            raise RefusedError(
                f"the rules in {self._root / source} cannot be read: {error.strerror}",
                hint=f"chmod u+r {self._root / source}",
            ) from error
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most projects have none to read

        lines = (
            text.removeprefix(codecs.BOM_UTF8)
            .decode(errors="surrogateescape")
            .replace("\r\n", "\n")
            .split("\n")
        )
        layer = _Layer(base, source, lines, GitIgnoreSpec.from_lines(lines))
        return IgnoreFiles(self._root, self._name, (*self._layers, layer))

    def judge(self, path: str, *, is_folder: bool) -> Verdict | None:
        """The innermost file with an opinion decides; in it, the last pattern that matches."""
        for base, source, lines, spec in reversed(self._layers):
            found = spec.check_file(path[len(base) :] + ("/" if is_folder else ""))
            if found.include is not None and found.index is not None:
                reason = f"{source}, line {found.index + 1}: {lines[found.index]}"
                return Verdict(found.include, reason)
        return None


class GitIgnoreFiles:
    """Git's rules where git is not there to ask: nothing is tracked, ``.gitignore`` decides."""

    def __init__(self, root: Path, files: IgnoreFiles) -> None:
        self._root, self._files = root, files

    @classmethod
    def at(cls, root: Path) -> GitIgnoreFiles:
        """The rules at the top: the repository's own, if there is one."""
        files = IgnoreFiles(root, GIT_IGNORE)
        if (root / ".git/info/exclude").is_file():
            files = files.read(".git/info/exclude", "")
        return cls(root, files)

    def enter(self, folder: str, names: Container[str]) -> GitIgnoreFiles:
        files = self._files.enter(folder, names)
        return self if files is self._files else GitIgnoreFiles(self._root, files)

    def is_tracked(self, path: str) -> bool:  # noqa: ARG002
        return False

    def holds_tracked(self, folder: str) -> bool:  # noqa: ARG002
        return False

    def is_nested(self, folder: str) -> bool:
        """Is the folder a repository, for which git can be asked?"""
        return is_worktree(self._root / folder) and has_git()

    def why_ignored(self, path: str, *, is_folder: bool) -> str | None:
        verdict = self._files.judge(path, is_folder=is_folder)
        return f"ignored by {verdict.reason}" if verdict and verdict.is_ignored else None

    def close(self) -> None:
        """Nothing is open."""
