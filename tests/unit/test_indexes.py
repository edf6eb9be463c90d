"""The indexes of a user's own settings, for installers elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.agent.confidential import of_installer, of_script, pack
from runctl.engine import indexes
from runctl.engine.indexes import collect_indexes
from runctl.errors import ConfigError

OURS = "https://me:it@one.example/simple"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_UV_OF_ALL", "_PIP_OF_ALL"):
        monkeypatch.setattr(indexes, name, tmp_path / "none")


def collect(home: Path, **environ: str) -> dict[str, str]:
    return collect_indexes({"HOME": str(home), **environ})


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_there_are_none_unless_somebody_has_set_them(tmp_path: Path) -> None:
    assert collect(tmp_path, PATH="/bin", UV_CACHE_DIR="/x", PIP_CACHE_DIR="/y") == {}


def test_variables_of_uv_are_those_of_pip_where_it_has_none(tmp_path: Path) -> None:
    found = collect(tmp_path, UV_DEFAULT_INDEX=OURS, UV_INDEX="lab=https://two.example/s")
    assert found == {
        "UV_DEFAULT_INDEX": OURS,
        "UV_INDEX": "lab=https://two.example/s",
        "PIP_INDEX_URL": OURS,
        "PIP_EXTRA_INDEX_URL": "https://two.example/s",
    }


def test_file_of_uv(tmp_path: Path) -> None:
    text = f"""
[[index]]
name = "lab"
url = "https://two.example/s"
[[index]]
url = "{OURS}"
default = true
[[index]]
name = "torch"
url = "https://three.example/s"
explicit = true
"""
    put(tmp_path / ".config/uv/uv.toml", text)
    found = collect(tmp_path)
    assert (found["UV_DEFAULT_INDEX"], found["UV_INDEX"]) == (OURS, "lab=https://two.example/s")
    assert collect(tmp_path, UV_NO_CONFIG="1") == {}
    assert collect(tmp_path, UV_INDEX_URL="https://x.example")["UV_DEFAULT_INDEX"] == (
        "https://x.example"
    )


@pytest.mark.parametrize("place", [".pip/pip.conf", ".config/pip/pip.conf"])
def test_file_of_pip_serves_uv_too(tmp_path: Path, place: str) -> None:
    text = f"[global]\nindex-url = {OURS}\n[install]\nextra-index-url =\n  https://a.example\n"
    put(tmp_path / place, text + "  https://b.example\n")
    found = collect(tmp_path)
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == OURS
    assert (
        found["PIP_EXTRA_INDEX_URL"] == found["UV_INDEX"] == "https://a.example https://b.example"
    )
    assert collect(tmp_path, PIP_INDEX_URL="https://c.example")["PIP_INDEX_URL"] == (
        "https://c.example"
    )


def test_netrc_is_put_into_urls_that_have_no_credentials(tmp_path: Path) -> None:
    put(tmp_path / ".netrc", "machine two.example login me password a/b\n")
    (tmp_path / ".netrc").chmod(0o600)
    found = collect(tmp_path, UV_INDEX=f"lab=https://two.example/s {OURS}")
    assert found["UV_INDEX"] == f"lab=https://me:a%2Fb@two.example/s {OURS}"


def test_file_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path) -> None:
    put(tmp_path / ".config/pip/pip.conf", f"index-url = {OURS}\n")
    with pytest.raises(ConfigError, match=r"pip\.conf") as caught:
        collect(tmp_path)
    assert "me:it" not in repr((caught.value.message, caught.value.hint, caught.value.details))


def test_script_and_installer_get_what_is_theirs() -> None:
    packed = pack({"TOKEN": "t"}, {"UV_INDEX": OURS})
    assert of_script(packed) == {"TOKEN": "t"}
    assert of_installer(packed) == {"UV_INDEX": OURS}
