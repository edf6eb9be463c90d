"""Settings are changed in place, and the owner's id is made once."""

from __future__ import annotations

import os
import threading
import tomllib
from pathlib import Path

import pytest

from runctl.config import owner_id, set_value
from runctl.errors import ConfigError

TEXT = """\
# why we retry
[run]  # section
retries = 3   # spot is spotty

[tool.other]
x = [1,
     2]
"""


def test_only_the_key_changes(tmp_path: Path) -> None:
    path = tmp_path / ".runctl.toml"
    path.write_text(TEXT)
    path.chmod(0o600)
    set_value(path, "run.retries", "5")
    assert path.read_text() == TEXT.replace("retries = 3", "retries = 5")
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("run.max_time", "8h", "8h"),
        ("run.max_time", "none", "none"),
        ("environment.install", "no", False),
        ("code.include", "data/,*.csv", ["data/", "*.csv"]),
        ("run.env", "A=1,B=x", {"A": "1", "B": "x"}),
        ("run.env.A", "x,y=z", {"A": "x,y=z"}),
        ("run.hyperparams.lr", "1e-3", {"lr": 0.001}),
        ("run.hyperparams.optimizer.name", "adam", {"optimizer.name": "adam"}),
    ],
)
@pytest.mark.parametrize("name", ["new/config.toml", "pyproject.toml"])
def test_any_key_in_a_new_file(
    tmp_path: Path, name: str, key: str, text: str, value: object
) -> None:
    set_value(tmp_path / name, key, text)
    table = tomllib.loads((tmp_path / name).read_text())
    table = table["tool"]["runctl"] if name == "pyproject.toml" else table
    section, field = key.split(".")[:2]
    assert table == {section: {field: value}}


def test_a_section_that_was_only_implied_can_be_set_in(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    for key in ("run.env.A", "run.retries", "output.color", "run.env.B"):
        set_value(path, key, "auto" if key == "output.color" else "1")
    assert tomllib.loads(path.read_text())["tool"]["runctl"] == {
        "run": {"env": {"A": "1", "B": "1"}, "retries": 1},
        "output": {"color": "auto"},
    }


def test_a_pyproject_keeps_its_other_tools(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n\n[tool.black]\nline-length = 100 # ours\n')
    set_value(path, "run.on", "aws")
    assert path.read_text().startswith(
        '[project]\nname = "x"\n\n[tool.black]\nline-length = 100 # o'
    )
    assert tomllib.loads(path.read_text())["tool"]["runctl"] == {"run": {"on": "aws"}}


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("run.retrys", "1", "no key 'run.retrys'"),
        ("run.retries", "many", "run.retries: expected a whole number"),
        ("run.env.1A", "x", '"1A" is not the name'),
        ("run.hyperparams.a b", "1", "'a b' is malformed"),
        ("run.on.x", "1", "no key"),
    ],
)
def test_a_refused_change_leaves_the_file(
    tmp_path: Path, key: str, text: str, message: str
) -> None:
    path = tmp_path / ".runctl.toml"
    path.write_text(TEXT)
    with pytest.raises(ConfigError, match=message) as caught:
        set_value(path, key, text)
    assert caught.value.hint
    assert path.read_text() == TEXT


@pytest.mark.parametrize("text", ["[run\n", "run = 3\n"])
def test_a_file_that_is_malformed_is_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".runctl.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"line 1|must be a table"):
        set_value(path, "run.retries", "1")
    assert path.read_text() == text


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "config.toml").symlink_to("dotfiles/runctl.toml")
    set_value(tmp_path / "config.toml", "run.retries", "2")
    assert (tmp_path / "config.toml").is_symlink()
    assert "retries = 2" in (tmp_path / "dotfiles/runctl.toml").read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        set_value(tmp_path / "file/config.toml", "run.retries", "2")
    assert "XDG_CONFIG_HOME" in (caught.value.hint or "")


def test_two_writers_do_not_undo_each_other(tmp_path: Path) -> None:
    names = [f"V{number}" for number in range(12)]
    path = tmp_path / "config.toml"
    writers = [threading.Thread(target=set_value, args=(path, f"run.env.{n}", n)) for n in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert tomllib.loads(path.read_text())["run"]["env"] == {name: name for name in names}


def test_the_owner_is_made_once(tmp_path: Path) -> None:
    first = owner_id(tmp_path / "runctl", lambda count: b"\0" * count)
    assert first == "usr-aaaaaaaaaaaaaaaa"
    assert owner_id(tmp_path / "runctl") == first
    assert os.listdir(tmp_path / "runctl") == ["owner"]
    assert owner_id(tmp_path / "other") != first


def test_whoever_comes_second_takes_the_firsts_owner(tmp_path: Path) -> None:
    """The token is asked for after the look at the file: the other one comes in between."""

    def lose(count: int) -> bytes:
        owner_id(tmp_path, lambda count: b"\0" * count)
        return b"\xff" * count

    assert owner_id(tmp_path, lose) == "usr-aaaaaaaaaaaaaaaa"
    assert os.listdir(tmp_path) == ["owner"]


@pytest.mark.parametrize("text", ["", "usr-short", "me"])
def test_an_owner_file_that_holds_no_id_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "owner").write_text(text)
    with pytest.raises(ConfigError, match="does not hold an owner id"):
        owner_id(tmp_path)
    assert (tmp_path / "owner").read_text() == text


def test_a_home_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept") as caught:
        owner_id(tmp_path / "home/runctl")
    assert "XDG_CONFIG_HOME" in (caught.value.hint or "")
