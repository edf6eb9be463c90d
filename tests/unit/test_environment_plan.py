from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runctl.agent.environment import Settings, detect
from runctl.agent.environment.interpreters import Interpreter
from runctl.agent.environment.plan import Plan, decide, read_wish
from runctl.agent.environment.recipe import Recipe, read_recipe
from runctl.agent.environment.specifiers import satisfies
from runctl.errors import PhaseFailed

PYTHON = Interpreter("/usr/bin/python3", "3.11.7", "cpython", "linux-x86_64", ())
UV = Path("/usr/bin/uv")
STATIC = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["signpost"]\n'


def put(tree: Path, name: str, text: str = "") -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(tree: Path, script: str = "train.py") -> Recipe:
    settings = Settings()
    recipe = read_recipe(tree, detect(tree, Path(script), settings), settings)
    assert recipe is not None
    return recipe


def make_plan(
    tree: Path,
    settings: Settings | None = None,
    environ: dict[str, str] | None = None,
    python: Interpreter = PYTHON,
    uv: Path | None = UV,
) -> Plan:
    return decide(read(tree), python, settings or Settings(), uv, environ or {})


class TestKey:
    def test_is_the_same_for_the_same_bytes_anywhere(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            put(tmp_path / name, "requirements.txt", "-r deep/base.txt\n-c deep/limits.txt\n")
            put(tmp_path / name, "deep/base.txt", "signpost\n-e ../lib[fast]\n")
            put(tmp_path / name, "deep/limits.txt", "signpost<2\n")
            put(tmp_path / name, "lib/pyproject.toml", STATIC)
        assert make_plan(tmp_path / "one").key == make_plan(tmp_path / "two").key

    @pytest.mark.parametrize("name", ["requirements.txt", "base.txt", "limits.txt", "a.whl"])
    def test_every_file_that_is_named_counts(self, tmp_path: Path, name: str) -> None:
        put(tmp_path, "requirements.txt", "-r base.txt\n-c limits.txt\n./a.whl\n")
        for other in ("base.txt", "limits.txt", "a.whl"):
            put(tmp_path, other, "x==1\n")
        before = make_plan(tmp_path)
        put(tmp_path, name, (tmp_path / name).read_text() + "y==2\n")
        assert make_plan(tmp_path).lock_hash != before.lock_hash

    @pytest.mark.parametrize(
        "settings",
        [Settings(installer="pip"), Settings(no_deps=True), Settings(system_site_packages=True)],
    )
    def test_flags_and_installer_count(self, tmp_path: Path, settings: Settings) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        plain, other = make_plan(tmp_path), make_plan(tmp_path, settings)
        assert (plain.key == other.key, plain.lock_hash == other.lock_hash) == (False, True)

    @pytest.mark.parametrize("field", ["path", "version", "implementation", "platform"])
    def test_interpreter_counts(self, tmp_path: Path, field: str) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        other = msgspec.structs.replace(PYTHON, **{field: "other"})
        assert make_plan(tmp_path).key != make_plan(tmp_path, python=other).key

    def test_packages_of_the_image_count_where_they_are_kept(self, tmp_path: Path) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        python = msgspec.structs.replace(PYTHON, base=(str(tmp_path / "image"),))
        kept, closed = Settings(system_site_packages=True), Settings()
        before = [make_plan(tmp_path, setting, python=python).key for setting in (kept, closed)]
        put(tmp_path, "image/torch-2.0.dist-info/METADATA")
        after = [make_plan(tmp_path, setting, python=python).key for setting in (kept, closed)]
        assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]

    def test_index_counts_and_its_credentials_do_not(self, tmp_path: Path) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        keys = [
            make_plan(tmp_path, environ={"UV_INDEX_URL": url}).key
            for url in ("https://me:old@a.invalid", "https://me:new@a.invalid", "https://b.invalid")
        ]
        assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False)

    def test_code_of_the_script_does_not_count(self, tmp_path: Path) -> None:
        block = '# /// script\n# dependencies = ["a"]\n# ///\n'
        put(tmp_path, "train.py", f"{block}print(1)\n")
        before = make_plan(tmp_path)
        put(tmp_path, "train.py", f"{block}print(2)\n")
        assert make_plan(tmp_path).key == before.key
        put(tmp_path, "train.py", block.replace('"a"', '"b"'))
        assert make_plan(tmp_path).key != before.key

    def test_settings_of_other_tools_do_not_count(self, tmp_path: Path) -> None:
        put(tmp_path, "pyproject.toml", STATIC)
        before = make_plan(tmp_path)
        put(tmp_path, "pyproject.toml", STATIC + "[tool.ruff]\nline-length = 90\n")
        assert make_plan(tmp_path).key == before.key
        put(tmp_path, "pyproject.toml", STATIC + "[tool.uv]\nindex-strategy = 'first-index'\n")
        assert make_plan(tmp_path).key != before.key


class TestLocalProjects:
    def test_static_one_is_lifted(self, tmp_path: Path) -> None:
        optional = '[project.optional-dependencies]\nfast = ["wings"]\nall = ["mine[fast]"]\n'
        put(tmp_path, "lib/pyproject.toml", STATIC + optional)
        put(tmp_path, "lib/src/mine/__init__.py")
        put(tmp_path, "requirements.txt", "other  # why\n-e ./lib[all]\n")
        recipe = read(tmp_path)
        assert recipe.lines == ("other", "signpost", "wings")
        assert recipe.import_roots == (tmp_path / "lib/src",)
        assert recipe.tied == ()

    def test_dependencies_in_files_of_setuptools_are_static(self, tmp_path: Path) -> None:
        dynamic = '[project]\nname = "mine"\ndynamic = ["version", "dependencies"]\n'
        where = '[tool.setuptools.dynamic]\ndependencies = { file = ["needs.txt"] }\n'
        put(tmp_path, "pyproject.toml", dynamic + where)
        put(tmp_path, "needs.txt", "# ours\nsignpost\n\n")
        assert read(tmp_path).lines == ("signpost",)

    @pytest.mark.parametrize(
        "text",
        [
            '[project]\nname = "mine"\ndynamic = ["dependencies"]\n',
            STATIC + '[build-system]\nbuild-backend = "maturin"\n',
            "[tool.other]\n",
        ],
    )
    def test_any_other_is_installed_and_tied_to_tree_and_bytes(
        self, tmp_path: Path, text: str
    ) -> None:
        put(tmp_path, "lib/pyproject.toml", text)
        put(tmp_path, "requirements.txt", "-e ./lib\n")
        before = make_plan(tmp_path)
        assert before.recipe.lines == (f"-e {tmp_path}/lib",)
        assert before.recipe.import_roots == ()
        for left in ("mine.egg-info/PKG-INFO", "build/lib/code.py", "fast.so", "__pycache__/a.pyc"):
            put(tmp_path, f"lib/{left}")
        assert make_plan(tmp_path).key == before.key
        put(tmp_path, "lib/code.py", "x = 1\n")
        assert make_plan(tmp_path).key != before.key

    def test_two_trees_do_not_share_what_is_tied(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            put(tmp_path / name, "setup.py", "from setuptools import setup; setup()\n")
        one, two = make_plan(tmp_path / "one"), make_plan(tmp_path / "two")
        assert (one.lock_hash == two.lock_hash, one.key == two.key) == (True, False)

    def test_missing_nested_file_is_named(self, tmp_path: Path) -> None:
        put(tmp_path, "requirements.txt", "-r absent.txt\n")
        with pytest.raises(PhaseFailed, match=r"absent\.txt"):
            read(tmp_path)

    def test_files_that_name_each_other_end(self, tmp_path: Path) -> None:
        put(tmp_path, "requirements.txt", "-r other.txt\n")
        put(tmp_path, "other.txt", "--requirement=requirements.txt\na \\\n  ==1\n")
        assert read(tmp_path).method == "file"

    def test_what_only_looks_local_is_left_to_the_installer(self, tmp_path: Path) -> None:
        put(tmp_path, "signpost/code.py")
        text = "signpost\n-e git+https://host.invalid/x.git#egg=x\nx @ https://host.invalid/x.whl\n"
        put(tmp_path, "requirements.txt", text)
        assert read(tmp_path).method == "file"


class TestInstaller:
    @pytest.mark.parametrize(
        ("settings", "uv", "expected"),
        [
            (Settings(), UV, "uv"),
            (Settings(), None, "pip"),
            (Settings(installer="pip"), UV, "pip"),
            (Settings(system_site_packages=True), UV, "pip"),
            (Settings(installer="uv", system_site_packages=True), UV, "uv"),
        ],
    )
    def test_choice(
        self, tmp_path: Path, settings: Settings, uv: Path | None, expected: str
    ) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        assert make_plan(tmp_path, settings, uv=uv).installer == expected

    def test_uv_that_is_asked_for_and_not_there(self, tmp_path: Path) -> None:
        put(tmp_path, "requirements.txt", "signpost\n")
        with pytest.raises(PhaseFailed, match="uv is needed"):
            make_plan(tmp_path, Settings(installer="uv"), uv=None)

    def test_places_that_pip_does_not_know_are_refused(self, tmp_path: Path) -> None:
        sources = '[tool.uv.sources]\nsignpost = { url = "https://host.invalid/s.whl" }\n'
        put(tmp_path, "pyproject.toml", STATIC + sources)
        with pytest.raises(PhaseFailed, match=r"tool\.uv\.sources"):
            make_plan(tmp_path, Settings(installer="pip"))


class TestPython:
    def test_order_of_wishes(self, tmp_path: Path) -> None:
        put(tmp_path, "pyproject.toml", STATIC + 'requires-python = ">=3.11"\n')
        assert self.wish(tmp_path) == ">=3.11"
        put(tmp_path, ".python-version", "# ours\n3.12\n")
        assert self.wish(tmp_path) == "3.12"
        put(tmp_path, "train.py", '# /// script\n# requires-python = ">=3.13"\n# ///\n')
        assert self.wish(tmp_path) == ">=3.13"
        assert self.wish(tmp_path, "3.10") == "3.10"

    def wish(self, tree: Path, asked: str | None = None) -> str | None:
        source = detect(tree, Path("train.py"), Settings())
        recipe = read_recipe(tree, source, Settings())
        return read_wish(tree, tree / "train.py", source, recipe, asked).wanted

    @pytest.mark.parametrize(
        ("specifier", "expected"),
        [
            (">=3.11", True),
            (">=3.11,<3.12", True),
            (">=3.12", False),
            ("3.11", True),
            ("3.1", False),
            ("3", True),
            ("==3.11", False),
            ("==3.11.*", True),
            ("==3.11.7", True),
            ("!=3.11.*", False),
            ("!=3.11.6", True),
            ("~=3.10", True),
            ("~=3.11.8", False),
            ("~=3.10.1", False),
            (">3.11", True),
            ("<=3.11", False),
            ("~=3", None),
            ("pypy3.11", None),
            (">=3.12rc1", None),
        ],
    )
    def test_specifier(self, specifier: str, expected: bool | None) -> None:
        assert satisfies("3.11.7", specifier) is expected

    def test_version_that_is_not_final_is_left_to_uv(self) -> None:
        assert satisfies("3.15.0rc1", ">=3.11") is None
