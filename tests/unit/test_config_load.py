"""Settings: what wins, where it came from, and what is said when it is wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from runctl.config import KEYS, Config, find_key, ledger_root, load, paths, user_dir, validate
from runctl.config.sources import GIVEN_TO_SCRIPTS, variable_of
from runctl.errors import ConfigError
from runctl.model.hyperparams import parse_hyperparams

# For each key a value other than the default: as TOML, as text, and typed.
SAMPLES: dict[str, tuple[str, str, object]] = {
    "run.on": ('"aws"', "aws", "aws"),
    "run.retries": ("3", "3", 3),
    "run.retry_on": ('["lost", "exit:137"]', "lost,exit:137", ("lost", "exit:137")),
    "run.hang_timeout": ('"15m"', "15m", timedelta(minutes=15)),
    "run.fail_on": ('["nan"]', "nan", ("nan",)),
    "run.stop_signal": ('"SIGUSR1"', "SIGUSR1", "SIGUSR1"),
    "run.grace": ('"1m30s"', "90s", timedelta(seconds=90)),
    "run.max_time": ('"8h"', "8h", timedelta(hours=8)),
    "run.wait_timeout": ('"5m"', "5m", timedelta(minutes=5)),
    "run.hyperparams": ("{lr = 0.1}", "lr=0.1", parse_hyperparams("lr=0.1")),
    "run.env": ('{A = "x,y", N = 4}', 'A="x,y",N=4', {"A": "x,y", "N": "4"}),
    "run.secrets": ('["TOKEN"]', "TOKEN", ("TOKEN",)),
    "code.include": ('["data/", "*.csv"]', "data/, *.csv", ("data/", "*.csv")),
    "code.exclude": ('["a,b"]', '["a,b"]', ("a,b",)),
    "code.allow": ('["keys/*.pub"]', "keys/*.pub", ("keys/*.pub",)),
    "code.warn_bytes": ('"3GiB"', "3GiB", 3 * 1024**3),
    "code.max_bytes": ('"2GiB"', "2GiB", 2 * 1024**3),
    "environment.install": ("false", "no", False),
    "environment.installer": ('"pip"', "pip", "pip"),
    "environment.python": ('"3.12"', "3.12", "3.12"),
    "environment.requirements": ('["r.txt", "s.txt"]', "r.txt,s.txt", ("r.txt", "s.txt")),
    "environment.extras": ('["gpu"]', "gpu", ("gpu",)),
    "environment.groups": ('["dev"]', "dev", ("dev",)),
    "environment.stage_wheels": ("true", "true", True),
    "environment.system_site_packages": ("true", "true", True),
    "environment.no_deps": ("true", "1", True),
    "docker.image": ('"a:1"', "a:1", "a:1"),
    "docker.repository": ('"h:5/a"', "h:5/a", "h:5/a"),
    "docker.shm_bytes": ('"8G"', "8G", 8 * 1024**3),
    "docker.options": ('["--memory=2g"]', "--memory=2g", ("--memory=2g",)),
    "docker.install": ("true", "true", True),
    "checkpoint.dir": ('"out"', "out", "out"),
    "checkpoint.keep_last": ("2", "2", 2),
    "checkpoint.interval": ('"500ms"', "500ms", timedelta(milliseconds=500)),
    "checkpoint.settle": ('"4s"', "4s", timedelta(seconds=4)),
    "store.root": ('"s3://b/p"', "s3://b/p", "s3://b/p"),
    "aws.region": ('"eu-west-1"', "eu-west-1", "eu-west-1"),
    "aws.profile": ('"lab"', "lab", "lab"),
    "aws.transport": ('"ssh"', "ssh", "ssh"),
    "aws.instance_type": ('"g6.xlarge"', "g6.xlarge", "g6.xlarge"),
    "aws.ami": ('"dlami"', "dlami", "dlami"),
    "aws.instance_profile": ('"train"', "train", "train"),
    "aws.security_groups": ('["sg-1", "sg-2"]', "sg-1,sg-2", ("sg-1", "sg-2")),
    "aws.subnet": ('"subnet-1"', "subnet-1", "subnet-1"),
    "aws.key_name": ('"mine"', "mine", "mine"),
    "output.format": ('"json"', "json", "json"),
    "output.color": ('"never"', "never", "never"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "user").mkdir()
    return tmp_path / "user"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def as_toml(key: str, value: str) -> str:
    section, _, field = key.partition(".")
    return f"[{section}]\n{field} = {value}\n"


def read(project: Path, user: Path, **environ: str) -> Config:
    return load(project, {}, environ, user)


def test_there_is_a_sample_of_each_key() -> None:
    assert SAMPLES.keys() == KEYS.keys()


@pytest.mark.parametrize("key", SAMPLES)
def test_each_key_can_be_set_from_each_source(key: str, project: Path, user: Path) -> None:
    toml, text, value = SAMPLES[key]
    assert read(project, user).get(key) == KEYS[key].default != value
    assert read(project, user).origin(key).kind == "default"

    write(user / "config.toml", as_toml(key, toml))
    assert read(project, user).get(key) == value
    assert str(read(project, user).origin(key)) == f"{user / 'config.toml'}, line 2"
    (user / "config.toml").unlink()

    found = read(project, user, **{variable_of(key): text})
    assert (found.get(key), found.origin(key).source) == (value, variable_of(key))

    for flag in (text, value):
        found = load(project, {key: flag}, {}, user)
        assert (found.get(key), found.origin(key).kind) == (value, "flag")


@pytest.mark.parametrize("key", SAMPLES)
def test_what_is_shown_can_be_set_again(key: str, project: Path, user: Path) -> None:
    shown = load(project, {key: SAMPLES[key][2]}, {}, user).setting(key)
    assert load(project, {key: shown.text}, {}, user).get(key) == SAMPLES[key][2]
    assert shown.description


def test_the_stronger_source_wins(project: Path, user: Path) -> None:
    write(user / "config.toml", "[run]\nretries = 1\n")
    assert read(project, user).values.run.retries == 1
    write(project / "pyproject.toml", "[tool.runctl.run]\nretries = 2\n")
    assert read(project, user).values.run.retries == 2
    write(project / ".runctl.toml", "[run]\nretries = 3\n")
    assert read(project, user).values.run.retries == 3
    environ = {"RUNCTL_CONFIG_RUN_RETRIES": "4"}
    assert load(project, {"run.retries": None}, environ, user).values.run.retries == 4
    assert load(project, {"run.retries": 5}, environ, user).values.run.retries == 5


def test_of_two_project_files_one_is_read_and_it_is_said(project: Path, user: Path) -> None:
    write(project / "pyproject.toml", "[tool.runctl.run]\nretries = 2\n")
    assert read(project, user).notes == ()
    write(project / ".runctl.toml", "[run]\non = 'aws'\n")
    found = read(project, user)
    assert found.values.run.retries == 0
    assert "[tool.runctl] in pyproject.toml is not" in found.notes[0]


def test_a_pyproject_of_others_says_nothing(project: Path, user: Path) -> None:
    write(project / "pyproject.toml", "[tool.black]\nline-length = 100\n")
    assert read(project, user).origin("run.on").kind == "default"


def test_tables_are_merged_entry_by_entry(project: Path, user: Path) -> None:
    write(user / "config.toml", '[run.env]\nA = "user"\nB = "user"\n')
    write(project / ".runctl.toml", '[run]\nenv = {B = "project"}\nhyperparams = {lr = 1, b_s = 2}')
    flags = {"run.hyperparams": parse_hyperparams("lr=1e-3")}
    found = load(project, flags, {}, user)
    assert found.values.run.env == {"A": "user", "B": "project"}
    assert {k: p.text for k, p in found.values.run.hyperparams.items()} == {
        "lr": "1e-3",
        "b_s": "2",
    }
    assert str(found.origin("run.env.A")) == f"{user / 'config.toml'}, line 2"
    assert found.origin("run.env.B").line == 2
    assert found.origin("run.hyperparams.lr").kind == "flag"
    assert (found.get("run.env.A"), found.get("run.env.C")) == ("user", None)


def test_a_list_is_taken_whole(project: Path, user: Path) -> None:
    write(user / "config.toml", '[code]\ninclude = ["a"]\n')
    write(project / ".runctl.toml", '[code]\ninclude = ["b"]\n')
    assert read(project, user).values.code.include == ("b",)
    assert read(project, user, RUNCTL_CONFIG_CODE_INCLUDE="").values.code.include == ()


def test_none_undoes_what_a_weaker_source_set(project: Path, user: Path) -> None:
    write(user / "config.toml", '[run]\nmax_time = "8h"\n')
    write(project / ".runctl.toml", '[run]\nmax_time = "none"\n')
    found = read(project, user)
    assert found.values.run.max_time is None
    assert found.origin("run.max_time").kind == "project"
    assert load(None, {"run.max_time": "none"}, {}, user).values.run.max_time is None


def test_what_a_script_is_given_is_no_setting(project: Path, user: Path) -> None:
    found = read(project, user, **dict.fromkeys(GIVEN_TO_SCRIPTS, "/inside/a/run"))
    assert found.values == read(project, user).values
    assert found.notes == ()
    assert not GIVEN_TO_SCRIPTS & {variable_of(key) for key in KEYS}


def test_a_variable_without_our_prefix_is_noted(project: Path, user: Path) -> None:
    found = read(project, user, RUNCTL_RUN_RETRIES="3")
    assert found.values.run.retries == 0
    assert "RUNCTL_CONFIG_RUN_RETRIES" in found.notes[0]


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        (
            {"RUNCTL_CONFIG_RUN_RETRYS": "1"},
            "RUNCTL_CONFIG_RUN_RETRYS sets no key",
            "RUNCTL_CONFIG_RUN_RETRIES",
        ),
        ({"RUNCTL_CONFIG_RUN_RETRIES": "x"}, "RUNCTL_CONFIG_RUN_RETRIES.*whole number", "unset"),
        ({"RUNCTL_CONFIG_RUN_GRACE": "5"}, "RUNCTL_CONFIG_RUN_GRACE.*duration such as", "unset"),
        ({"RUNCTL_CONFIG_RUN_ON": ""}, "RUNCTL_CONFIG_RUN_ON: expected text", "unset"),
        ({"RUNCTL_CONFIG_RUN_ENV": "A"}, "RUNCTL_CONFIG_RUN_ENV: expected name=value", "unset"),
        ({"RUNCTL_CONFIG_CODE_INCLUDE": "[1"}, "RUNCTL_CONFIG_CODE_INCLUDE: expected", "unset"),
    ],
)
def test_a_bad_variable_is_named(
    project: Path, user: Path, environ: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(project, {}, environ, user)
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        ("[run]\nretrys = 1", r"line 2: there is no key 'retrys' in \[run\]", "retries? Known are"),
        ("[run]\nmax-time = '1h'", "line 2: there is no key 'max-time'", "did you mean max_time?"),
        ("[rnu]\non = 'x'", r"line 1: there is no section \[rnu\]", "did you mean run?"),
        ("run = 3", "line 1: run must be a table", ""),
        ("[run]\n# retries\nretries = '1'", 'line 3: run.retries: .*found the text "1"', "= 0"),
        (
            "[run]\nretries = true",
            "run.retries: expected a whole number, 0 or more; found true",
            "",
        ),
        ("[run]\nretries = -1", "expected a whole number, 0 or more; found -1", ""),
        ("[checkpoint]\nkeep_last = 0", 'whole number, 1 or more, or "none"; found 0', '"none"'),
        ("[run]\ngrace = 30", "expected a duration such as 30s or 1h30m; found 30", '"30s"'),
        ("[code]\nmax_bytes = '1Q'", "expected a size .*'1Q' is not a size", '"1GiB"'),
        ("[environment]\ninstall = 'yes'", 'expected true or false; found the text "yes"', "true"),
        ("[output]\nformat = 'xml'", 'expected "text" or "json" or "id"; found', '"text"'),
        ("[code]\ninclude = 'data/'", "expected a list of texts; found the text", "[]"),
        ("[code]\ninclude = [1]", "found 1 in the list", ""),
        ("[run.env]\n'1A' = 'x'", '"1A" is not the name of an environment variable', ""),
        ("[run.env]\nA = [1]", "found a list for A", ""),
        ("[run]\nsecrets = ['a b']", '"a b" is not the name', ""),
        ("[run.hyperparams.model]\nx = 1", "'model' in run.hyperparams is a table", ""),
        ("[run]\nretries = ", "line 2, column 11: expected a value: text in quotes", "retries ="),
        ("[run\nx = 1", "line 1, column 5: expected ']'", "mend the line: [run"),
        ("[run]\nx 1\n", "line 2, column 3: expected '=' after a key", "mend the line: x 1"),
        ("[run]\nx=1\nx=2\n", "line 3, column 4: cannot overwrite a value", ""),
    ],
)
def test_a_bad_file_is_named_to_the_line(
    project: Path, user: Path, toml: str, message: str, hint: str
) -> None:
    path = write(project / ".runctl.toml", toml)
    with pytest.raises(ConfigError, match=message) as caught:
        read(project, user)
    assert caught.value.message.startswith(str(path))
    assert hint in (caught.value.hint or "")
    assert [str(problem) for problem in validate(path)] == [caught.value.message]


def test_validate_finds_all_that_is_wrong(project: Path) -> None:
    path = write(project / "pyproject.toml", "[tool.runctl]\nx = 1\n[tool.runctl.run]\ny=2\non=''")
    assert [str(problem).partition(", ")[2].partition(":")[0] for problem in validate(path)] == [
        "line 2",
        "line 4",
        "line 5",
    ]
    assert validate(project / "absent.toml") == []


def test_bytes_that_are_no_text_are_named_to_the_line(project: Path) -> None:
    path = project / ".runctl.toml"
    path.write_bytes(b"[run]\non = '\xff'\n")
    assert "line 2: this is not UTF-8" in str(validate(path)[0])


def test_a_folder_in_place_of_the_file_is_named(project: Path, user: Path) -> None:
    (project / ".runctl.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(project, user)


def test_a_file_with_a_byte_order_mark_and_crlf_is_read(project: Path, user: Path) -> None:
    (project / ".runctl.toml").write_bytes(b"\xef\xbb\xbf[run]\r\nretries = 3\r\n")
    found = read(project, user)
    assert (found.values.run.retries, found.origin("run.retries").line) == (3, 2)


@pytest.mark.parametrize(
    ("toml", "key", "line"),
    [
        ("run.retries = 1", "run.retries", 1),
        ("run = {retries = 1}", "run.retries", 1),
        ("# retries\n[run]\non = '''\nretries = 2\n'''\nretries = 1", "run.retries", 6),
        ("[run]\nretries = 1\n[run.env]\nretries = 'x'", "run.retries", 2),
        ("[code]\ninclude = [\n 'include',\n]", "code.include", 2),
        ("[run.env]\nA = '1'", "run.env", 1),
    ],
)
def test_the_line_of_a_key_is_found(
    project: Path, user: Path, toml: str, key: str, line: int
) -> None:
    write(project / ".runctl.toml", toml)
    assert read(project, user).origin(key).line == line


@pytest.mark.parametrize("name", ["run.retrys", "retries", "run", "run.env.", "run.on.x", ""])
def test_an_unknown_key_gets_a_near_name(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_key(name)
    assert "did you mean" in (caught.value.hint or "")
    with pytest.raises(ConfigError):
        load(None, {name: 1}, {}, Path("/nowhere"))


def test_paths_name_all_that_is_looked_for(project: Path, user: Path) -> None:
    write(user / "config.toml", "")
    assert [(each.kind, each.path, each.is_present) for each in paths(project, user)] == [
        ("project", project / ".runctl.toml", False),
        ("project", project / "pyproject.toml", False),
        ("user", user / "config.toml", True),
    ]


def test_the_users_folder_follows_xdg() -> None:
    assert user_dir({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/runctl")
    assert user_dir({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path("/h/.config/runctl")


def test_the_ledger_is_found_from_wherever_it_is_named(project: Path, user: Path) -> None:
    environ = {"HOME": "/h"}
    assert ledger_root(read(project, user), environ) == "/h/.local/share/runctl/ledger"
    write(project / ".runctl.toml", "[store]\nroot = 'runs'\n")
    assert ledger_root(read(project, user), environ) == str(project / "runs")
    cloud = load(project, {"store.root": "s3://bucket/prefix"}, {}, user)
    assert ledger_root(cloud, environ) == "s3://bucket/prefix"


def test_importing_config_is_cheap() -> None:
    heavy = ["tomlkit", "pathspec", "obstore", "rich", "click", "tempfile", "subprocess", "difflib"]
    program = f"import runctl.config, sys; print(sorted(set({heavy}) & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
