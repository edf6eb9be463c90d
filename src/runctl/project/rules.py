"""What is in and what is out, decided by the first rule that speaks.

1. ``--exclude-pattern``: out.
2. ``.runctlignore``: out, or with ``!`` in.
3. Tracked by git: in. No rule of ours drops a tracked file.
4. Ours: ``.git``, caches, virtual environments, checkpoint folders and the like: out.
5. Git's ignore rules: out. All else is in.

``--include-pattern`` brings back what rules 2, 4 and 5 leave out; into a folder that rule 4 leaves
out it reaches only where the pattern spells out that folder's name.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from runctl.project.ignore import IgnoreFiles, Verdict
from runctl.project.patterns import Patterns

ALWAYS_OUT = {
    ".git": "git's own",
    "__pycache__": "a cache",
    ".mypy_cache": "a cache",
    ".ruff_cache": "a cache",
    ".pytest_cache": "a cache",
    ".ipynb_checkpoints": "a cache",
    ".venv": "a virtual environment",
    "venv": "a virtual environment",
    "node_modules": "installed packages",
    "checkpoints": "a checkpoint folder",
    "wandb": "an experiment log",
    "mlruns": "an experiment log",
    ".runctl": "runctl's own",
}


class GitRules(Protocol):
    """What git says of paths, whoever answers for it."""

    def enter(self, folder: str, names: Container[str]) -> Self: ...
    def is_tracked(self, path: str) -> bool: ...
    def holds_tracked(self, folder: str) -> bool: ...
    def is_nested(self, folder: str) -> bool: ...
    def why_ignored(self, path: str, *, is_folder: bool) -> str | None: ...


class Folder(NamedTuple):
    """A folder under way. ``why_out``: what is in it is out, unless tracked or brought back.

    ``is_walled``: include patterns do not reach into it.
    """

    path: str
    git: GitRules
    ignore: IgnoreFiles
    why_out: str | None = None
    is_walled: bool = False

    def join(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


class FolderVerdict(NamedTuple):
    """Why a folder is out (None: it is in), and whether something in it may yet be in."""

    why_out: str | None
    is_entered: bool = True
    is_walled: bool = False


class Rules:
    """The rules for one root; ``own_folders`` are out by rule 4, ``required`` files always in."""

    def __init__(
        self,
        root: Path,
        include: Patterns,
        exclude: Patterns,
        own_folders: Collection[str],
        required: Collection[str],
    ) -> None:
        self._root, self._include, self._exclude = root, include, exclude
        self._own_folders, self._required = set(own_folders), set(required)
        self.used: set[str] = set()

    def judge_file(self, folder: Folder, path: str, *, is_link: bool) -> Verdict:
        """Is the file or link in ``folder`` ignored, and why, or why not."""
        if path in self._required:
            return Verdict(is_ignored=False, reason="always needed")
        glob = self._exclude.find(path)
        if glob is not None:
            return self._use(glob, Verdict(is_ignored=True, reason=f"excluded by {glob!r}"))
        verdict = self._judge_file_by_rule(folder, path, is_link=is_link)
        glob = self._include.find(path) if verdict.is_ignored and not folder.is_walled else None
        if glob is not None:
            return self._use(glob, Verdict(is_ignored=False, reason=f"brought back by {glob!r}"))
        return verdict

    def _use(self, glob: str, verdict: Verdict) -> Verdict:
        self.used.add(glob)
        return verdict

    def _judge_file_by_rule(self, folder: Folder, path: str, *, is_link: bool) -> Verdict:
        verdict = folder.ignore.judge(path, is_folder=False)
        if verdict is not None:
            return verdict
        if folder.git.is_tracked(path):
            return Verdict(is_ignored=False, reason="tracked by git")
        is_ours = is_link or path.rpartition("/")[2] == ".git"
        why = folder.why_out or (self._why_ours(path) if is_ours else None)
        why = why or folder.git.why_ignored(path, is_folder=False)
        return Verdict(is_ignored=why is not None, reason=why or "not ignored")

    def judge_folder(self, folder: Folder, path: str) -> FolderVerdict:
        """Is the folder ``path`` in ``folder`` out, and must it be looked into all the same."""
        is_needed = any(each.startswith(path + "/") for each in self._required)
        glob = self._exclude.find(path, is_folder=True)
        if glob is not None:
            self.used.add(glob)
            return FolderVerdict(f"excluded by {glob!r}", is_needed, is_walled=True)
        verdict = folder.ignore.judge(path, is_folder=True)
        found = self._judge_folder_by_rule(folder, path, verdict)
        if found.why_out is None:
            return found
        if not found.is_walled and self._include.find(path, is_folder=True) is not None:
            return FolderVerdict(None)
        is_reached = not found.is_walled and self._include.may_match_below(path)
        has_tracked = verdict is None and folder.git.holds_tracked(path)
        return found._replace(is_entered=is_needed or is_reached or has_tracked)

    def _judge_folder_by_rule(
        self, folder: Folder, path: str, verdict: Verdict | None
    ) -> FolderVerdict:
        if verdict is not None:
            why = verdict.reason if verdict.is_ignored else None
            return FolderVerdict(why, is_walled=folder.is_walled)
        ours = None if folder.git.is_tracked(path) else self._why_ours(path)
        if ours is not None:
            is_walled = folder.is_walled or not self._include.spell_out(path)
            return FolderVerdict(ours, is_walled=is_walled)
        why = folder.why_out or folder.git.why_ignored(path, is_folder=True)
        return FolderVerdict(why, is_walled=folder.is_walled)

    def _why_ours(self, path: str) -> str | None:
        what = ALWAYS_OUT.get(path.rpartition("/")[2])
        if path in self._own_folders:
            what = "a folder that runctl writes"
        elif what is None and os.path.exists(self._root / path / "pyvenv.cfg"):
            what = "a virtual environment"
        return what and f"{what}: never carried unless included"
