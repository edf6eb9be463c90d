"""One walk over the root that gathers what travels."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from runctl.errors import NotFoundError, RefusedError
from runctl.project.git import GitListing, has_git, is_ignored_root
from runctl.project.ignore import RUNCTL_IGNORE, GitIgnoreFiles, IgnoreFiles
from runctl.project.patterns import Patterns, pattern_of
from runctl.project.root import find_worktree, is_worktree
from runctl.project.rules import Folder, FolderVerdict, GitRules, Rules
from runctl.project.selection import Selected, Selection, Skipped


def select_files(
    root: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    own_folders: Collection[str] = (),
    required: Collection[str] = (),
) -> Selection:
    """Choose what of ``root`` travels; see ``rules`` for the order in which rules speak.

    ``own_folders`` (relative paths: the configured checkpoint folder, a ledger in the project) stay
    unless included; ``required`` (the script) travels whatever a rule says.
    Raises UsageError on a bad pattern, NotFoundError when there is no root, RefusedError for a link
    that leads out, a folder that cannot be read, or a git that does not answer.
    """
    if not root.is_dir():
        raise NotFoundError(f"the project root {root} is not a folder")
    including = Patterns(include, "--include-pattern")
    excluding = Patterns(exclude, "--exclude-pattern")
    rules = Rules(root, including, excluding, own_folders, required)
    with ExitStack() as resources:
        walk = _Walk(root, rules, resources)
        walk.run()
    for option, patterns in (("include", including), ("exclude", excluding)):
        unused = [glob for glob in patterns.globs if glob not in rules.used]
        walk.notes += [f"--{option}-pattern {glob!r} changed nothing" for glob in unused]
    return walk.finish()


class _Walk:
    def __init__(self, root: Path, rules: Rules, resources: ExitStack) -> None:
        self._root, self._rules, self._resources = root, rules, resources
        self._entries: list[Selected] = []
        self._skipped: list[Skipped] = []
        self._folders: list[Selected] = []
        self._leading_out: list[str] = []
        self.notes: list[str] = []

    def run(self) -> None:
        pending = [Folder("", self._choose_git_rules(), IgnoreFiles(self._root, RUNCTL_IGNORE))]
        while pending:
            pending.extend(self._visit(pending.pop()))

    def finish(self) -> Selection:
        if self._leading_out:
            raise self._refuse_links()
        entries = [*self._entries, *self._find_empty()]
        return Selection(
            root=self._root,
            entries=tuple(sorted(entries, key=lambda entry: entry.path)),
            skipped=tuple(sorted(self._skipped, key=lambda skipped: skipped.path)),
            notes=tuple(self.notes),
        )

    def _choose_git_rules(self) -> GitRules:
        worktree = find_worktree(self._root)
        if worktree is None:
            return GitIgnoreFiles.at(self._root)
        if not has_git():
            self.notes.append("git is not installed: its rules were read from .gitignore files")
            return GitIgnoreFiles.at(self._root)
        if worktree != self._root and is_ignored_root(self._root):
            self.notes.append(f"git ignores {self._root} as a whole: its .gitignore files decide")
            return GitIgnoreFiles.at(self._root)
        return self._resources.enter_context(GitListing(self._root))

    def _visit(self, folder: Folder) -> Iterator[Folder]:
        children = self._scan(folder.path)
        names = {child.name for child in children}
        git, ignore = folder.git.enter(folder.path, names), folder.ignore.enter(folder.path, names)
        folder = folder._replace(git=git, ignore=ignore)
        for child in children:
            path = folder.join(child.name)
            if child.is_dir(follow_symlinks=False):
                yield from self._take_folder(folder, path, child)
            else:
                self._take_file(folder, path, child)

    def _scan(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / path) as found:
                return list(found)
        except FileNotFoundError:  # gone since its parent was read
            return []
        except OSError as error:
            raise RefusedError(
                f"the folder {self._root / path} cannot be read: {error.strerror}",
                hint=f"make it readable, or leave it out: --exclude-pattern '/{path}/'",
            ) from error

    def _take_folder(self, folder: Folder, path: str, child: os.DirEntry[str]) -> Iterator[Folder]:
        verdict = self._rules.judge_folder(folder, path)
        if verdict.why_out is None:
            mode = child.stat(follow_symlinks=False).st_mode & 0o777
            self._folders.append(Selected(path, "folder", mode, 0, "an empty folder"))
        elif folder.why_out is None:
            self._skipped.append(Skipped(path, verdict.why_out, is_folder=True))
        if verdict.is_entered:
            git = self._choose_nested_rules(folder, path, verdict)
            yield Folder(path, git, folder.ignore, verdict.why_out, verdict.is_walled)

    def _choose_nested_rules(self, folder: Folder, path: str, verdict: FolderVerdict) -> GitRules:
        if verdict.why_out is not None or not folder.git.is_nested(path):
            return folder.git
        if is_worktree(self._root / path):
            return self._resources.enter_context(GitListing(self._root / path, path + "/"))
        self.notes.append(
            f"the submodule {path} is not checked out, and travels as an empty folder "
            f"(git submodule update --init {path})"
        )
        return folder.git

    def _take_file(self, folder: Folder, path: str, child: os.DirEntry[str]) -> None:
        is_link = child.is_symlink()
        verdict = self._rules.judge_file(folder, path, is_link=is_link)
        if verdict.is_ignored:
            if folder.why_out is None:
                self._skipped.append(Skipped(path, verdict.reason))
            return
        try:
            found = child.stat(follow_symlinks=False)
            target = os.readlink(child.path) if is_link else None
        except FileNotFoundError:
            return
        if target is not None:
            self._take_link(path, target, verdict.reason)
        elif stat.S_ISREG(found.st_mode):
            mode = found.st_mode & 0o777
            self._entries.append(Selected(path, "file", mode, found.st_size, verdict.reason))
        else:
            self.notes.append(f"{path} is a socket, pipe or device, and does not travel")

    def _take_link(self, path: str, target: str, reason: str) -> None:
        if self._is_leading_out(path, target):
            self._leading_out.append(f"{path} -> {target}")
        self._entries.append(Selected(path, "link", 0o777, 0, reason, target))

    def _is_leading_out(self, path: str, target: str) -> bool:
        """An absolute target leads out, wherever it points: it means nothing elsewhere."""
        if target.startswith("/"):
            return True
        plain = os.path.normpath(f"{path}/../{target}")
        followed = os.path.realpath(self._root / path)
        is_within = Path(followed).is_relative_to(os.path.realpath(self._root))
        return plain == ".." or plain.startswith("../") or not is_within

    def _refuse_links(self) -> RefusedError:
        first = self._leading_out[0].partition(" -> ")[0]
        return RefusedError(
            f"links lead out of the project {self._root}, or are absolute, and would lead nowhere "
            f"on another machine: {', '.join(self._leading_out[:5])}"
            + (f" and {len(self._leading_out) - 5} more" if len(self._leading_out) > 5 else ""),
            hint=f"make them relative, or leave them out: "
            f"--exclude-pattern {shlex.quote(pattern_of(first))}",
            links=self._leading_out,
        )

    def _find_empty(self) -> Iterator[Selected]:
        """The innermost folders that are in, and in which nothing is."""
        covered: set[str] = set()
        for entry in self._entries:
            _cover(entry.path, covered)
        for folder in sorted(self._folders, key=lambda each: -len(each.path)):
            if folder.path not in covered:
                _cover(folder.path, covered)
                yield folder


def _cover(path: str, covered: set[str]) -> None:
    folder = path.rpartition("/")[0]
    while folder and folder not in covered:
        covered.add(folder)
        folder = folder.rpartition("/")[0]
