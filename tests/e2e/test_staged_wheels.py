"""Wheels for another machine, resolved and downloaded here: the right ones, or none."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.agent.environment import Settings, detect
from runctl.agent.environment.recipe import read_recipe
from runctl.agent.environment.uv import find_uv
from runctl.engine.arrival.platforms import Platform
from runctl.engine.wheels import Wheel, download, resolve
from runctl.errors import IntegrityError, PhaseFailed
from tests.wheelhouse import build_wheel
from tests.wheelindex import WheelIndex

X86, ARM = Platform("x86_64", "gnu", None), Platform("aarch64", "gnu", None)
PROJECT = """\
[project]
name = "mine"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["marker"]
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WheelIndex]:
    wheels = tmp_path_factory.mktemp("wheels")
    for python in ("cp311", "cp312"):
        for machine in ("x86_64", "aarch64"):
            tag = f"{python}-{python}-manylinux_2_17_{machine}"
            build_wheel(wheels, "signpost", "1.0", requires=["marker"], tag=tag)
    build_wheel(wheels, "marker", "1.0")
    build_wheel(wheels, "apple", "1.0", tag="py3-none-macosx_11_0_arm64")
    made = WheelIndex(wheels, "sesame")
    with made.served_here():
        yield made


@pytest.fixture
def environ(tmp_path: Path, index: WheelIndex) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "UV_DEFAULT_INDEX": index.url}


def find(tree: Path, environ: dict[str, str], platform: Platform, python: str) -> list[Wheel]:
    recipe = read_recipe(tree, detect(tree, Path("train.py"), Settings()), Settings())
    assert recipe is not None
    return resolve(recipe, platform, python, environ)


@pytest.mark.parametrize(
    ("platform", "python", "tag"),
    [
        (X86, "3.11.7", "cp311-cp311-manylinux_2_17_x86_64"),
        (ARM, "3.12.1", "cp312-cp312-manylinux_2_17_aarch64"),
    ],
)
def test_they_fit_the_instance_and_not_this_machine(
    tmp_path: Path, environ: dict[str, str], platform: Platform, python: str, tag: str
) -> None:
    (tmp_path / "requirements.txt").write_text("signpost\n")
    found = find(tmp_path, environ, platform, python)
    names = ["marker-1.0-py3-none-any.whl", f"signpost-1.0-{tag}.whl"]
    assert sorted(wheel.filename for wheel in found) == names
    for wheel in found:
        kept = download(wheel, tmp_path / "cache", environ)
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == wheel.sha256
    away = dict(environ, UV_DEFAULT_INDEX="http://127.0.0.1:9/simple")
    assert download(found[0], tmp_path / "cache", away).is_file()


def test_what_has_no_wheel_there_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "requirements.txt").write_text("apple\n")
    with pytest.raises(PhaseFailed, match="apple") as caught:
        find(tmp_path, environ, X86, "3.11.7")
    assert "another version" in str(caught.value.hint)


def test_lock_decides_the_bytes(tmp_path: Path, environ: dict[str, str], index: WheelIndex) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    subprocess.run([str(find_uv(environ)), "lock"], cwd=tmp_path, env=environ, check=True)
    [wheel] = find(tmp_path, environ, X86, "3.11.7")
    assert wheel.filename == "marker-1.0-py3-none-any.whl"
    lock = tmp_path / "uv.lock"
    lock.write_text(lock.read_text().replace(wheel.sha256, "0" * 64))
    with pytest.raises(IntegrityError, match="marker"):
        find(tmp_path, environ, X86, "3.11.7")


def test_other_bytes_are_not_kept(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "x-1-py3-none-any.whl").write_bytes(b"other")
    wheel = Wheel("x==1", str(tmp_path / "x-1-py3-none-any.whl"), "0" * 64)
    with pytest.raises(IntegrityError):
        download(wheel, tmp_path / "cache", environ)
    assert list((tmp_path / "cache").iterdir()) == []


def test_refused_credentials_are_told_without_them(
    tmp_path: Path, environ: dict[str, str], index: WheelIndex
) -> None:
    (tmp_path / "requirements.txt").write_text("marker\n")
    wrong = dict(environ, UV_DEFAULT_INDEX=index.url.replace("sesame", "guess"))
    with pytest.raises(PhaseFailed) as caught:
        find(tmp_path, wrong, X86, "3.11.7")
    assert "guess" not in repr((caught.value.message, caught.value.hint, caught.value.details))
