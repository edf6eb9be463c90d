"""Thirteen files that tools which copy projects disagree about, and who carries which.

What SkyPilot and dstack do was read in their source, and seen by doing the same: SkyPilot calls
rsync with ``SKYPILOT``, dstack walks with the ``ignore`` crate. Git is asked each time.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

SKYPILOT = ["-a", "--filter=dir-merge,- .gitignore", "--exclude-from=.git/info/exclude"]
"""From ``sky/utils/command_runner.py``; the second only where the file is there."""


class Awkward(NamedTuple):
    """One file: its name, why it is awkward, and who carries it."""

    path: str
    why: str
    by_git: bool
    by_skypilot: bool
    by_dstack: bool


FILES = [
    Awkward("weights/best.pt", "tracked, in a folder that is ignored", True, False, False),
    Awkward("keep.log", "ignored, and taken back by `!keep.log`", True, False, True),
    Awkward("sub/special.log", "taken back by the `.gitignore` below", True, False, True),
    Awkward("sub/a.tmp", "ignored by the `.gitignore` below", False, False, False),
    Awkward("sub/only_top.txt", "its namesake at the top is ignored", True, True, True),
    Awkward("a/deep/x.bin", "ignored by `**/deep/*.bin`", False, False, False),
    Awkward("editor.swp", "ignored by the user's own `core.excludesFile`", False, True, False),
    Awkward("local.cfg", "ignored by `.git/info/exclude`", False, False, False),
    Awkward("new and\n'odd'.py", "not tracked yet; a space, a newline, quotes", True, True, True),
    Awkward(os.fsdecode(b"not-utf8-\xff.py"), "a name that is not UTF-8", True, True, True),
    Awkward("alias", "a link to a folder", True, True, True),
    Awkward("lib/built.so", "ignored by the rules of a submodule", False, False, False),
    Awkward(".git/HEAD", "git's own", False, True, False),
]
_TEXTS = {
    ".gitignore": "weights/\n*.log\n!keep.log\n/only_top.txt\n**/deep/*.bin\n",
    "sub/.gitignore": "*.tmp\n!/special.log\n",
    "only_top.txt": "",
    "train.py": "",
}
_AT_HOME = {".config/git/ignore": "*.swp\n"}


def plant(root: Path, home: Path) -> None:
    """Make the project with its thirteen files in ``root``; ``home`` is that of its user."""
    for folder, texts in ((root, _TEXTS), (home, _AT_HOME), (root.parent / "lib", _LIB)):
        for path, text in texts.items():
            _write(folder / path, text)
    _git(root.parent / "lib", "init", "-q")
    _git(root.parent / "lib", "add", ".")
    _git(root.parent / "lib", "commit", "-q", "-m", "x")
    _git(root, "init", "-q")
    _git(root, "submodule", "add", str(root.parent / "lib"), "lib")
    for file in FILES:
        if file.path not in ("alias", ".git/HEAD"):
            _write(root / file.path, "")
    (root / "alias").symlink_to("sub")
    _write(root / ".git/info/exclude", "local.cfg\n")
    _git(root, "add", "-f", "train.py", "weights/best.pt")
    _git(root, "commit", "-q", "-m", "x")


_LIB = {"lib.py": "", ".gitignore": "*.so\n"}


def carried_by_git(root: Path) -> set[str]:
    """What a commit of all would hold, in the repository and its submodule."""
    found: set[str] = set()
    for folder in ("", "lib/"):
        out = subprocess.check_output(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root / folder,
        )
        found |= {folder + name for name in os.fsdecode(out).split("\0") if name}
    return found - {"lib"}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m")
    allow = ("-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, *allow, *words], cwd=folder, check=True, capture_output=True)
