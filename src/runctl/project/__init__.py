"""Which folder is the project, which of its files travel, and where git stands."""

from __future__ import annotations

from runctl.project.git import GitState, git_state
from runctl.project.patterns import Patterns, pattern_of
from runctl.project.root import ProjectRoot, find_root
from runctl.project.selection import Selected, Selection, Skipped
from runctl.project.walk import select_files

__all__ = [
    "GitState",
    "Patterns",
    "ProjectRoot",
    "Selected",
    "Selection",
    "Skipped",
    "find_root",
    "git_state",
    "pattern_of",
    "select_files",
]
