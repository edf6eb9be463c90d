"""Thirteen awkward files: ours are exactly git's, and the page that compares says what is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runctl.project import select_files
from tests.awkward import FILES, SKYPILOT, carried_by_git, plant
from tests.scene import ROOT


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home, project = tmp_path / "home", tmp_path / "project"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    plant(project, home)
    return project


def test_ours_are_exactly_gits(root: Path) -> None:
    by_git = carried_by_git(root)
    assert {file.path: file.path in by_git for file in FILES} == {
        file.path: file.by_git for file in FILES
    }
    ours = [entry for entry in select_files(root).entries if entry.kind != "folder"]
    assert {entry.path for entry in ours} == by_git


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync, which SkyPilot calls, is absent")
def test_what_is_said_of_skypilot_is_what_its_command_does(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    subprocess.run(["rsync", *SKYPILOT, f"{root}/", str(target)], cwd=root, check=True)
    assert {file.path: os.path.lexists(target / file.path) for file in FILES} == {
        file.path: file.by_skypilot for file in FILES
    }


def test_the_page_has_the_same_table() -> None:
    text = (ROOT / "docs/explanation/comparison.md").read_text()
    rows = re.findall(
        r"^\| (.+) \| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \|$", text, re.MULTILINE
    )
    assert [row[1:] for row in rows] == [
        tuple("yes" if one else "no" for one in (file.by_git, file.by_git, *others))
        for file in FILES
        for others in [(file.by_skypilot, file.by_dstack)]
    ]
    assert [row[0] for row in rows] == [file.why for file in FILES]
