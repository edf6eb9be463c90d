"""Environments made for real, from wheels that the tests build: they can come from nowhere else.

``signpost`` is on no index and its module says its own version, so that importing it from
the prepared interpreter proves which distribution was installed, and where.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from runctl.agent.environment import Prepared, Settings, prepare
from runctl.agent.environment.interpreters import inspect
from runctl.agent.environment.processes import run_installer
from runctl.agent.environment.uv import find_uv
from runctl.errors import PhaseFailed, StoppedOnRequest
from tests.wheelhouse import build_wheel

IMPORT = "import signpost, sys; print(signpost.VERSION, sys.prefix)"
INTRODUCED = (
    "from importlib.metadata import entry_points, version;"
    "print(version('mine'), [e.value for e in entry_points(name='mine')])"
)
DEADLINE_S = 60
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
)


@dataclass
class Site:
    """A project, a folder of wheels, and a root of environments; offline."""

    root: Path
    output: list[bytes] = field(default_factory=list)
    is_cancelled: Callable[[], bool] = lambda: False
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    @property
    def wheels(self) -> Path:
        return self.root / "wheels"

    @property
    def envs(self) -> Path:
        return self.root / "envs"

    @property
    def environ(self) -> dict[str, str]:
        hidden = ("PIP_", "UV_", "VIRTUAL_ENV", "PYTHONPATH")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(self.wheels), "UV_NO_INDEX": "1"}
        offline |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        offline |= {"PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(self.root / "uv-cache")}
        return kept | offline | self.extra

    def write(self, name: str, text: str) -> Path:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def prepare(self, settings: Settings | None = None, script: str = "train.py") -> Prepared:
        return prepare(
            self.tree,
            Path(script),
            settings or Settings(),
            envs_root=self.envs,
            base_python=Path(sys.executable),
            on_output=self.output.append,
            is_cancelled=self.is_cancelled,
            environ=self.environ,
        )

    def run(self, prepared: Prepared, code: str) -> str:
        environ = self.environ | prepared.environ
        argv = [str(prepared.python), "-c", code]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def uv(self, *argv: str) -> None:
        uv = find_uv(self.environ)
        command = [str(uv), *argv, "--python", sys.executable]
        subprocess.run(command, cwd=self.tree, env=self.environ, check=True, capture_output=True)

    def list_environments(self) -> list[str]:
        return sorted(path.parent.name for path in self.envs.glob("*/pyvenv.cfg"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    for version in ("1.2.3", "2.0.0"):
        build_wheel(site.wheels, "signpost", version)
    site.write("train.py", "import signpost\n")
    return site


def check_installed(site: Site, prepared: Prepared, version: str) -> None:
    assert site.run(prepared, IMPORT) == f"{version} {prepared.python.parent.parent}"
    assert prepared.packages["signpost"] == version


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest) -> Settings:
    return Settings(installer=request.param)


class TestSources:
    def test_package_is_absent_before(self, site: Site) -> None:
        prepared = site.prepare()
        assert prepared.key is None
        with pytest.raises(subprocess.CalledProcessError):
            site.run(prepared, IMPORT)

    def test_requirements(self, site: Site, installer: Settings) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        check_installed(site, site.prepare(installer), "1.2.3")

    def test_nested_requirements_and_constraints(self, site: Site, installer: Settings) -> None:
        site.write("requirements.txt", "-r needs/base.txt\n-c needs/limits.txt\n")
        site.write("needs/base.txt", "signpost\n")
        site.write("needs/limits.txt", "signpost<2\n")
        check_installed(site, site.prepare(installer), "1.2.3")

    def test_script_metadata(self, site: Site, installer: Settings) -> None:
        block = '# /// script\n# dependencies = ["signpost==1.2.3"]\n# ///\n'
        site.write("train.py", f"{block}import signpost\n")
        check_installed(site, site.prepare(installer), "1.2.3")

    def test_script_metadata_with_settings_of_uv(self, site: Site) -> None:
        block = (
            '# dependencies = ["signpost"]\n# [tool.uv]\n# override-dependencies = ["signpost<2"]'
        )
        site.write("train.py", f"# /// script\n{block}\n# ///\n")
        check_installed(site, site.prepare(), "1.2.3")

    def test_script_with_a_lock(self, site: Site) -> None:
        block = '# dependencies = ["signpost"]\n# requires-python = ">=3.11"\n'
        site.write("train.py", f"# /// script\n{block}# ///\n")
        site.uv("lock", "--script", "train.py", "--upgrade-package", "signpost==1.2.3")
        check_installed(site, site.prepare(), "1.2.3")

    def test_project_that_only_its_backend_understands(
        self, site: Site, installer: Settings
    ) -> None:
        site.write("requirements.txt", "-e ./lib\n")
        build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        dynamic = '[project]\nname = "mine"\nversion = "0.1"\ndynamic = ["dependencies"]\n'
        site.write("lib/pyproject.toml", build + dynamic)
        site.write("lib/backend.py", EDITABLE)
        site.write("lib/code/mine.py", "NAME = 'mine'\n")
        prepared = site.prepare(installer)
        check_installed(site, prepared, "1.2.3")
        assert prepared.packages["mine"] == "0.1"
        assert site.run(prepared, "import mine; print(mine.NAME)") == "mine"
        assert site.prepare(installer).is_cached

    def test_pyproject(self, site: Site, installer: Settings) -> None:
        site.write("pyproject.toml", PYPROJECT)
        site.write("src/mine/__init__.py", "NAME = 'mine'\n")
        prepared = site.prepare(installer)
        check_installed(site, prepared, "1.2.3")
        assert site.run(prepared, "import mine; print(mine.NAME)") == "mine"
        assert "mine" not in prepared.packages

    def test_lock_wins_over_what_a_new_resolution_would_give(self, site: Site) -> None:
        site.write("pyproject.toml", PYPROJECT.replace("signpost==1.2.3", "signpost"))
        site.write("src/mine/__init__.py", "NAME = 'mine'\n")
        site.uv("lock", "--upgrade-package", "signpost==1.2.3")
        prepared = site.prepare()
        check_installed(site, prepared, "1.2.3")
        assert site.run(prepared, "import mine; print(mine.NAME)") == "mine"
        assert prepared.packages == {"signpost": "1.2.3"}

    def test_lock_of_a_workspace_governs_its_member(self, site: Site) -> None:
        site.write("pyproject.toml", WORKSPACE)
        member = PYPROJECT.replace("mine", "part").replace("==1.2.3", "")
        site.write("parts/part/pyproject.toml", member)
        site.write("parts/part/src/part/__init__.py", "NAME = 'part'\n")
        site.write("parts/part/train.py", "")
        site.uv("lock", "--upgrade-package", "signpost==1.2.3")
        prepared = site.prepare(script="parts/part/train.py")
        check_installed(site, prepared, "1.2.3")
        assert site.run(prepared, "import part; print(part.NAME)") == "part"

    def test_stale_lock_is_refused(self, site: Site) -> None:
        path = site.write("pyproject.toml", PYPROJECT)
        site.uv("lock")
        path.write_text(PYPROJECT.replace("1.2.3", "2.0.0"))
        with pytest.raises(PhaseFailed, match="differ on signpost") as caught:
            site.prepare()
        assert "uv lock" in str(caught.value.hint)

    def test_lock_without_uv_is_refused(self, site: Site) -> None:
        site.write("pyproject.toml", PYPROJECT)
        site.uv("lock")
        with pytest.raises(PhaseFailed, match="only uv can install"):
            site.prepare(Settings(installer="pip"))

    def test_editable_project(self, site: Site, installer: Settings) -> None:
        site.write("requirements.txt", "-e .\n")
        site.write("pyproject.toml", PYPROJECT)
        site.write("src/mine/__init__.py", "NAME = 'before'\n")
        settings = msgspec.structs.replace(installer, requirements=("requirements.txt",))
        prepared = site.prepare(settings)
        check_installed(site, prepared, "1.2.3")
        site.write("src/mine/__init__.py", "NAME = 'after'\n")
        again = site.prepare(settings)
        assert (again.key, again.is_cached) == (prepared.key, True)
        assert site.run(again, "import mine; print(mine.NAME)") == "after"
        assert site.run(again, INTRODUCED) == "0.1 ['mine:main']"

    def test_the_same_project_elsewhere_shares_the_environment(self, site: Site) -> None:
        site.write("requirements.txt", "-c limits.txt\n-e ./lib\n")
        site.write("limits.txt", "signpost<2\n")
        site.write("lib/pyproject.toml", PYPROJECT)
        site.write("lib/src/mine/__init__.py", "")
        first = site.prepare()
        site.tree.rename(site.root / "moved")
        (site.root / "tree").symlink_to(site.root / "moved")
        second = site.prepare()
        assert (second.key, second.is_cached) == (first.key, True)
        assert second.import_paths[0] == site.root / "moved/lib/src"


class TestFlags:
    def test_no_deps(self, site: Site, installer: Settings) -> None:
        build_wheel(site.wheels, "guidebook", "1.0", requires=["signpost"])
        site.write("requirements.txt", "guidebook\n")
        assert "signpost" in site.prepare(installer).packages
        settings = msgspec.structs.replace(installer, no_deps=True)
        assert "signpost" not in site.prepare(settings).packages

    def test_system_packages_are_seen_on_request_only(self, site: Site) -> None:
        site.write("requirements.txt", "signpost\n")
        look = "import importlib.util as u; print(u.find_spec('pip').origin)"
        kept = site.prepare(Settings(system_site_packages=True, installer="uv"))
        assert (
            "system-site-packages = true" in (kept.python.parent.parent / "pyvenv.cfg").read_text()
        )
        closed = site.prepare(Settings(installer="uv"))
        assert closed.key != kept.key
        with pytest.raises(subprocess.CalledProcessError):
            site.run(closed, look)

    def test_nothing_is_installed_when_switched_off(self, site: Site) -> None:
        site.write("requirements.txt", "signpost\n")
        prepared = site.prepare(Settings(install=False))
        assert prepared.python == Path(sys.executable)
        assert site.list_environments() == []


class TestChosen:
    def test_extras_and_groups_of_a_project(self, site: Site, installer: Settings) -> None:
        site.write("pyproject.toml", CHOOSING)
        for name in ("marker", "gauge", "beacon"):
            build_wheel(site.wheels, name, "1.0")
        plain = site.prepare(installer).packages
        assert plain.keys() & {"signpost", "marker", "gauge", "beacon"} == {"signpost"}
        chosen = msgspec.structs.replace(installer, extras=("fast",), groups=("all",))
        assert {"signpost", "marker", "gauge", "beacon"} <= site.prepare(chosen).packages.keys()

    def test_extras_and_groups_of_a_lock(self, site: Site) -> None:
        site.write("pyproject.toml", CHOOSING)
        for name in ("marker", "gauge", "beacon"):
            build_wheel(site.wheels, name, "1.0")
        site.uv("lock")
        assert site.prepare().packages.keys() & {"marker", "gauge"} == set()
        chosen = Settings(extras=("fast",), groups=("all",))
        assert {"marker", "gauge", "beacon"} <= site.prepare(chosen).packages.keys()

    @pytest.mark.parametrize("settings", [Settings(extras=("slow",)), Settings(groups=("slow",))])
    def test_what_the_project_does_not_have_is_refused(
        self, site: Site, settings: Settings
    ) -> None:
        site.write("pyproject.toml", CHOOSING)
        with pytest.raises(PhaseFailed, match=r"has no (extra|group) slow"):
            site.prepare(settings)

    def test_extras_of_a_requirements_file_are_refused(self, site: Site) -> None:
        site.write("requirements.txt", "signpost\n")
        with pytest.raises(PhaseFailed, match=r"requirements\.txt decides"):
            site.prepare(Settings(extras=("fast",)))

    def test_several_requirements_files(self, site: Site, installer: Settings) -> None:
        build_wheel(site.wheels, "marker", "1.0")
        site.write("one.txt", "signpost==1.2.3\n")
        site.write("deep/two.txt", "-r three.txt\n")
        site.write("deep/three.txt", "marker\n")
        both = msgspec.structs.replace(installer, requirements=("one.txt", "deep/two.txt"))
        prepared = site.prepare(both)
        assert {"signpost", "marker"} <= prepared.packages.keys()
        assert prepared.source == "one.txt, deep/two.txt were asked for"


class TestFresh:
    def test_is_installed_anew_and_taken_from_then_on(
        self, site: Site, installer: Settings
    ) -> None:
        site.write("requirements.txt", "signpost\n")
        first = site.prepare(installer)
        build_wheel(site.wheels, "signpost", "3.0.0")
        assert site.prepare(installer).packages["signpost"] == "2.0.0"
        fresh = site.prepare(msgspec.structs.replace(installer, is_fresh=True))
        assert (fresh.is_cached, fresh.packages["signpost"]) == (False, "3.0.0")
        assert site.prepare(installer).python == fresh.python
        assert first.python.exists()  # a run may be using it


class TestPipAlone:
    def test_installs_where_uv_is_not_to_be_had(self, site: Site, tmp_path: Path) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        answer = run_without_uv(site, tmp_path)
        assert answer["uv"] is None
        assert answer["installer"] == "pip"
        assert answer["version"] == "1.2.3"


class TestCache:
    def test_second_time_starts_no_process(
        self, site: Site, installer: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        first = site.prepare(installer)
        site.output.clear()
        monkeypatch.setattr(subprocess, "Popen", refuse_process)
        second = site.prepare(installer)
        assert (first.is_cached, second.is_cached) == (False, True)
        assert (second.python, second.packages) == (first.python, first.packages)
        assert site.output == []

    def test_an_edit_of_what_is_declared_makes_another(self, site: Site) -> None:
        site.write("requirements.txt", "-r base.txt\n")
        site.write("base.txt", "signpost==1.2.3\n")
        first = site.prepare()
        site.write("base.txt", "signpost==2.0.0\n")
        second = site.prepare()
        assert second.key != first.key
        check_installed(site, second, "2.0.0")
        check_installed(site, first, "1.2.3")

    def test_rest_of_a_killed_build_is_built_again(self, site: Site) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        first = site.prepare()
        env = first.python.parent.parent
        (env / "complete.json").unlink()
        (env / "stray").write_text("left behind")
        second = site.prepare()
        assert not second.is_cached
        assert not (env / "stray").exists()
        check_installed(site, second, "1.2.3")

    def test_torn_marker_is_none(self, site: Site) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        marker = site.prepare().python.parent.parent / "complete.json"
        marker.write_bytes(marker.read_bytes()[:40])
        assert not site.prepare().is_cached

    def test_changed_environment_is_left_alone_and_not_used(self, site: Site) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        first = site.prepare()
        uv, wheel = find_uv(site.environ), next(site.wheels.glob("signpost-2*"))
        argv = [str(uv), "pip", "install", "-q", "--python", str(first.python), str(wheel)]
        subprocess.run(argv, env=site.environ, check=True)
        second = site.prepare()
        assert second.python != first.python
        check_installed(site, second, "1.2.3")
        assert site.run(first, "import signpost; print(signpost.VERSION)") == "2.0.0"
        assert site.prepare().python == second.python

    def test_two_builders_at_once_make_one(self, site: Site) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        made: list[Prepared] = []
        threads = [threading.Thread(target=lambda: made.append(site.prepare())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(prepared.is_cached for prepared in made) == [False, True, True]
        assert len(site.list_environments()) == 1


def test_another_interpreter_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.symlink_to(Path(sys.executable).resolve())
    first = inspect(python, tmp_path / "memory")
    monkeypatch.setattr("subprocess.run", lambda *a, **k: pytest.fail("asked again"))
    assert inspect(python, tmp_path / "memory") == first
    assert first.version.startswith("3.")


class TestInterpreter:
    def test_path_is_taken_as_it_is(self, site: Site, tmp_path: Path) -> None:
        site.write("requirements.txt", "signpost\n")
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True
        )
        python = tmp_path / "own/bin/python"
        prepared = site.prepare(Settings(python=str(python)))
        marker = prepared.python.parent.parent / "complete.json"
        assert json.loads(marker.read_text())["python"] == str(python)

    def test_another_is_found_along_path_without_uv(self, site: Site, tmp_path: Path) -> None:
        found = tmp_path / "bin/python3.29"
        found.parent.mkdir()
        answer = {"path": str(found), "version": "3.29.1", "implementation": "cpython"}
        answer |= {"platform": "linux", "base": []}  # type: ignore[dict-item]
        found.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
        found.chmod(0o755)
        site.extra = {"PATH": str(found.parent)}
        prepared = site.prepare(Settings(python="3.29", installer="pip"))
        assert (prepared.python, prepared.python_version) == (found, "3.29.1")


class TestFailure:
    @pytest.mark.parametrize(
        ("line", "cause"),
        [("signpost==9.9", "no-version"), ("nowhere-else", "no-version"), ("alien", "no-wheel")],
    )
    def test_says_why(self, site: Site, installer: Settings, line: str, cause: str) -> None:
        build_wheel(site.wheels, "alien", "1.0", requires_python=">=4")
        site.write("requirements.txt", f"{line}\n")
        with pytest.raises(PhaseFailed) as caught:
            site.prepare(installer)
        assert caught.value.details["phase"] == "environment"
        assert caught.value.details["cause"] == cause
        assert line.partition("=")[0] in caught.value.message
        assert site.list_environments() == []

    def test_wrong_hash(self, site: Site, installer: Settings) -> None:
        site.write("requirements.txt", f"signpost==1.2.3 --hash=sha256:{'0' * 64}\n")
        with pytest.raises(PhaseFailed) as caught:
            site.prepare(installer)
        assert caught.value.details["cause"] == "hash-mismatch"

    def test_credentials_are_told_to_nobody(self, site: Site, installer: Settings) -> None:
        index = "http://someone:pa55word@127.0.0.1:9/simple"
        site.write("requirements.txt", f"--index-url {index}\nsignpost==7\n")
        site.extra = {"UV_NO_INDEX": "0", "UV_OFFLINE": "0", "PIP_NO_INDEX": "0"}
        site.extra |= {"PIP_RETRIES": "1", "UV_HTTP_RETRIES": "0"}
        with pytest.raises(PhaseFailed) as caught:
            site.prepare(installer)
        told = repr((caught.value.message, caught.value.hint, caught.value.details, site.output))
        assert "pa55word" not in told
        assert caught.value.details["cause"] == "no-egress"

    def test_python_that_is_not_there(self, site: Site) -> None:
        site.write("requirements.txt", "signpost\n")
        with pytest.raises(PhaseFailed, match=r"No Python 3\.99"):
            site.prepare(Settings(python="3.99"))

    def test_project_for_another_python(self, site: Site) -> None:
        site.write("pyproject.toml", PYPROJECT.replace(">=3.11", "<3.2"))
        with pytest.raises(PhaseFailed) as caught:
            site.prepare()
        assert caught.value.details["cause"] == "no-python"


class TestFullDisk:
    @pytest.mark.skipif(not CAN_MOUNT, reason="a small disk needs user namespaces (Linux)")
    def test_is_told_and_leaves_nothing(self, site: Site, installer: Settings) -> None:
        site.write("requirements.txt", "signpost==1.2.3\n")
        site.envs.mkdir()
        assert run_on_small_disk(site, installer) == "PhaseFailed disk-full []"


class TestCancellation:
    def test_ends_the_installer_and_what_it_started(self, site: Site) -> None:
        started = site.root / "started"
        make_slow_project(site, started)
        site.is_cancelled = started.exists
        with pytest.raises(StoppedOnRequest):
            site.prepare()
        await_end(int(started.read_text()))
        assert site.list_environments() == []

    def test_ends_what_is_left_behind_and_does_not_wait_for_its_words(self, site: Site) -> None:
        argv = ["sh", "-c", "trap '' TERM; sleep 600 & echo $!"]
        run_installer(
            argv,
            folder=site.tree,
            environ=site.environ,
            on_output=site.output.append,
            is_cancelled=lambda: False,
            keep_open=(),
            disk=site.root,
        )
        await_end(int(b"".join(site.output)))

    def test_killed_builder_leaves_nothing_that_is_taken_as_whole(self, site: Site) -> None:
        started = site.root / "started"
        make_slow_project(site, started)
        builder = start_builder(site)
        await_path(started)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        assert site.list_environments() != []
        assert list(site.envs.glob("*/complete.json")) == []
        site.is_cancelled = lambda: True  # the installer outlived its builder: it has the lock
        with pytest.raises(StoppedOnRequest, match="Waiting"):
            site.prepare()
        os.kill(int(started.read_text()), signal.SIGKILL)
        make_quick(site)
        site.is_cancelled = lambda: False
        check_installed(site, site.prepare(), "1.2.3")


PYPROJECT = """
[project]
name = "mine"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["signpost==1.2.3"]
[project.scripts]
mine = "mine:main"
[build-system]
requires = ["not-to-be-had"]
build-backend = "not_to_be_had"
"""
CHOOSING = """
[project]
name = "mine"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["signpost==1.2.3"]
[project.optional-dependencies]
fast = ["marker"]
[dependency-groups]
all = ["gauge", {include-group = "more"}]
more = ["beacon"]
"""
WORKSPACE = """
[project]
name = "whole"
version = "0"
requires-python = ">=3.11"
dependencies = []
[tool.uv.workspace]
members = ["parts/*"]
"""
BUILDER = """
import json, os, sys
from pathlib import Path
import msgspec
from runctl.agent.environment import Settings, prepare
from runctl.agent.environment.interpreters import inspect
from runctl.agent.environment.processes import run_installer
from runctl.agent.environment.uv import find_uv
prepared = prepare(
    Path(sys.argv[1]), Path("train.py"), Settings(), envs_root=Path(sys.argv[2]),
    base_python=Path(sys.executable), on_output=lambda data: None,
    is_cancelled=lambda: False, environ=dict(os.environ),
)
found = find_uv(os.environ)
print(json.dumps({
    "uv": found and str(found), "installer": prepared.installer,
    "version": prepared.packages.get("signpost"),
}))
"""
SMALL_DISK = """
import os, subprocess, sys
from pathlib import Path
from runctl.agent.environment import Settings, prepare
from runctl.errors import RunctlError
tree, envs, installer = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(envs)], check=True)
try:
    prepare(
        tree, Path("train.py"), Settings(installer=installer), envs_root=envs,
        base_python=Path(sys.executable), on_output=lambda data: None,
        is_cancelled=lambda: False, environ=dict(os.environ),
    )
except RunctlError as error:
    left = [path.name for path in envs.iterdir() if path.is_dir()]
    print(type(error).__name__, error.details.get("cause"), left)
"""
BACKEND = """
import os, pathlib, time
def _wait(*arguments, **options):
    pathlib.Path({started!r} + ".draft").write_text(str(os.getpid()))
    os.replace({started!r} + ".draft", {started!r})
    time.sleep(120)
get_requires_for_build_wheel = get_requires_for_build_editable = lambda *a, **k: []
build_wheel = build_editable = _wait
prepare_metadata_for_build_wheel = prepare_metadata_for_build_editable = _wait
"""


EDITABLE = """
import os, zipfile
get_requires_for_build_editable = lambda *a, **k: []
def build_editable(folder, *arguments, **options):
    name, info = "mine-0.1-py3-none-any.whl", "mine-0.1.dist-info"
    head = "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.1\\n"
    files = {
        "mine.pth": os.path.abspath("code") + "\\n",
        f"{info}/METADATA": head + "Requires-Dist: signpost<2\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in files)
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""


def make_slow_project(site: Site, started: Path) -> None:
    """A requirement whose build does not end in time: its backend writes its pid and sleeps."""
    site.write("requirements.txt", "signpost==1.2.3\n-e ./slow\n")
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project = '[project]\nname = "slow"\nversion = "1"\ndynamic = ["dependencies"]\n'
    site.write("slow/pyproject.toml", build + project)
    site.write("slow/backend.py", BACKEND.format(started=str(started)))


def make_quick(site: Site) -> None:
    site.write("requirements.txt", "signpost==1.2.3\n")


def start_builder(site: Site) -> subprocess.Popen[bytes]:
    environ = site.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    argv = [sys.executable, "-c", BUILDER, str(site.tree), str(site.envs)]
    return subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL)


def run_without_uv(site: Site, tmp_path: Path) -> dict[str, object]:
    """Prepare in an interpreter that has neither uv's wheel nor uv beside it nor on PATH."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    source = Path(__file__).parents[2] / "src"
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(bare)], check=True)
    environ = site.environ | {"PYTHONPATH": f"{source}{os.pathsep}{modules}", "PATH": "/nowhere"}
    argv = [str(bare / "bin" / "python"), "-c", BUILDER, str(site.tree), str(site.envs)]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def run_on_small_disk(site: Site, settings: Settings) -> str:
    """Prepare with the environments' root on a disk of 64 KiB; say how it ended."""
    environ = site.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environ |= {"UV_LINK_MODE": "copy"}
    argv = ["unshare", "-rm", sys.executable, "-c", SMALL_DISK]
    argv += [str(site.tree), str(site.envs), settings.installer]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refuse_process(*arguments: object, **options: object) -> None:
    pytest.fail(f"a process was started: {arguments}")


def await_path(path: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def await_end(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} did not end"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return state.stdout.strip()[:1] not in (b"", b"Z")
