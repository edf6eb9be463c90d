"""What import-linter cannot say about the house; its contracts stand in pyproject.toml."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "src" / "runctl"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
FACTORIES_THAT_READ_A_CLOCK = {"now", "utcnow", "today"}


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Each import of ``file``, lazy ones too: the module, and the name taken from it or ''."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def calls(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    funcs = [node.func for node in nodes if isinstance(node, ast.Call)]
    named = {func.id for func in funcs if isinstance(func, ast.Name)}
    return named | {func.attr for func in funcs if isinstance(func, ast.Attribute)}


def exists(module: str) -> bool:
    path = HOUSE.parent.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_every_folder_is_a_package() -> None:
    """Import-linter does not see a folder without ``__init__.py``."""
    folders = {file.parent for file in HOUSE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: str(contract["name"]))
def test_contracts_name_each_package_that_exists(contract: dict[str, object]) -> None:
    """``a.b.**`` is what stands below ``a.b``: its ``__init__`` must be named beside it."""
    sources = contract.get("source_modules", [])
    assert isinstance(sources, list)
    packages = {one.removesuffix(".**") for one in sources if one.endswith(".**")} - {"runctl"}
    assert {one for one in packages if exists(one)} <= set(sources)


def test_model_takes_no_clock_and_opens_no_file() -> None:
    for file in (HOUSE / "model").glob("*.py"):
        taken = {name for module, name in imports(file) if module == "pathlib"}
        assert taken <= {"PurePath", "PurePosixPath"}, file
        assert not calls(file) & (FACTORIES_THAT_READ_A_CLOCK | {"open", "print", "input"}), file


def test_the_reaper_needs_nothing_but_the_standard_library() -> None:
    for file in (HOUSE / "agent" / "reaper").glob("*.py"):
        taken = {module for module, _ in imports(file)}
        others = {m for m in taken if m.partition(".")[0] not in sys.stdlib_module_names}
        assert {m for m in others if not m.startswith("runctl.agent.reaper")} == set(), file
