"""The generated pages of the reference: current, and complete."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import runctl
from runctl.agent.command import build_command
from runctl.agent.environment import Prepared
from runctl.agent.folder import AttemptFolder
from runctl.cli.command import GLOBAL_OPTIONS
from runctl.cli.table import COMMANDS
from runctl.config.schema import KEYS
from runctl.config.sources import GIVEN_TO_SCRIPTS
from runctl.model.checkpoint import Part
from runctl.model.spec import Code, Command, Spec
from scripts import api_reference, cli_reference, config_reference, records_reference
from scripts.reference import PAGES

ROOT = Path(__file__).parents[2]
VARIABLES = ROOT / "docs" / "reference" / "variables.md"
PROMISES = ROOT / "docs" / "explanation" / "promises.md"


@pytest.mark.parametrize(("path", "page"), PAGES.items(), ids=lambda one: getattr(one, "stem", ""))
def test_a_generated_page_is_current(path: Path, page: Callable[[], str]) -> None:
    assert path.read_text(encoding="utf-8") == page(), "type: make reference"


def test_every_page_is_written_by_one_target() -> None:
    made = {path.name for path in (ROOT / "scripts").glob("*_reference.py")}
    assert len(made) == len(PAGES), "scripts/reference.py does not know one of them"


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_explained(key: str) -> None:
    assert f"| `{key}` | " in config_reference.page()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained(command: str) -> None:
    assert f"\n## runctl {command}\n" in cli_reference.page()


def test_every_common_option_is_explained() -> None:
    page = cli_reference.page()
    assert [one.opts[-1] for one in GLOBAL_OPTIONS if one.opts[-1] not in page] == []


def test_every_method_of_the_client_is_explained_in_words() -> None:
    page = api_reference.page()
    for name, method in inspect.getmembers(runctl.Client, inspect.isfunction):
        if not name.startswith("_"):
            assert method.__doc__, f"Client.{name} has no docstring"
            assert f"\n### {name}\n\n{method.__doc__[:20].replace('``', '`')}" in page


def test_every_record_of_the_ledger_has_its_fields_listed() -> None:
    page = records_reference.page()
    for name in ("Spec", "Claim", "Event", "Request", "Heartbeat", "SealedManifest", "Outputs"):
        assert f"\n### {name}\n" in page


def test_every_variable_given_to_a_script_is_explained(tmp_path: Path) -> None:
    given = build_command(
        _spec(), AttemptFolder(tmp_path), 1, _prepared(), tmp_path / "last.pt", {}, {}
    ).env
    text = VARIABLES.read_text(encoding="utf-8")
    assert set(given) > GIVEN_TO_SCRIPTS
    assert [name for name in sorted(given) if f"`{name}`" not in text] == []


def _spec() -> Spec:
    code = Code(
        snapshot="0" * 64, record=Part(sha256="0" * 64, size_bytes=1), file_count=1, total_bytes=1
    )
    return Spec(
        run_id="ybqzq52zz-h44rm",
        name="n",
        project="p",
        owner="o",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        target="local",
        command=Command(script="train.py"),
        code=code,
        gpus=(0,),
        runctl_version="0",
    )


def _prepared() -> Prepared:
    names = ("VIRTUAL_ENV", "PATH", "PYTHONPATH")
    return Prepared(
        python=Path("python"),
        python_version="3.11",
        import_paths=(),
        environ=dict.fromkeys(names, "x"),
        source="",
        lock_hash=None,
        key=None,
        installer=None,
        is_cached=False,
        packages={},
    )


def test_the_promises_name_tests_that_exist() -> None:
    named = re.findall(r"`((?:tests|src)/[\w/]+\.py)::(\w+)`", PROMISES.read_text(encoding="utf-8"))
    assert len(named) > 20
    missing = [
        f"{file}::{test}"
        for file, test in named
        if f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_decision_has_its_four_parts() -> None:
    parts = ("\nContext: ", "\nDecision: ", "\nConsequences: ", "\nAlternatives: ")
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert [name for name, text in texts.items() if not all(part in text for part in parts)] == []
    assert [int(name[:4]) for name in texts] == list(range(1, len(texts) + 1))
