"""How a training command becomes ``docker run``, and which image all attempts take."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import pytest

from runctl.agent.command import TrainingCommand
from runctl.agent.containers.command import (
    contain,
    options_of,
    places_of,
    python_of,
    with_terminal,
    write_exports,
)
from runctl.agent.containers.docker import Docker
from runctl.agent.containers.ecr import Keys, endpoint_of, find_keys, sign
from runctl.agent.containers.image import pin, repository_of
from runctl.agent.containers.login import find_ecr
from runctl.agent.folder import AttemptFolder
from runctl.model.spec import CheckpointWish, ContainerWish
from runctl.model.volume import VolumeAsk
from tests.records import make_spec

DIGEST = f"sha256:{'a' * 64}"
INNER = TrainingCommand(argv=["python3", "t.py", "x"], cwd="/c", env={"A": "b c\n"}, grace_s=1.0)


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("python", "python"),
        ("python:3.12-slim", "python"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"),
        ("host:5000/a:1", "host:5000/a"),
        (f"a/b:1@{DIGEST}", "a/b"),
    ],
)
def test_a_port_is_not_a_tag(reference: str, repository: str) -> None:
    assert repository_of(reference) == repository


@pytest.mark.parametrize(
    ("wanted", "digests", "pinned"),
    [
        ("a:1", [f"b@{DIGEST}", f"a@{DIGEST}"], f"a@{DIGEST}"),
        ("docker.io/library/a", [f"a@{DIGEST}"], f"a@{DIGEST}"),
        (f"a@{DIGEST}", [], f"a@{DIGEST}"),
        ("a:1", [], "sha256:id"),
        ("a:1", None, "sha256:id"),
    ],
)
def test_an_image_is_pinned_to_what_means_it_anywhere(
    wanted: str, digests: list[str] | None, pinned: str
) -> None:
    assert pin(wanted, {"Id": "sha256:id", "RepoDigests": digests}) == pinned


def test_the_command_keeps_its_words_folder_and_variables(tmp_path: Path) -> None:
    place = tmp_path / 'a,b "c"'
    made = contain(INNER, Docker("/d"), "sha256:id", "n", {place: True}, None, ["--x"])
    assert made.argv[:2] == ["/d", "run"]
    assert made.argv[-5:] == ["--entrypoint", "python3", "sha256:id", "t.py", "x"]
    quoted = str(place).replace('"', '""')
    assert f'--mount=type=bind,"source={quoted}","target={quoted}"' in made.argv
    assert {"--init", "--env=A=b c\n", "--x"} <= set(made.argv)
    assert made.argv[made.argv.index("--workdir") + 1] == "/c"
    assert made.end == ["/d", "rm", "--force", "--volumes", "n"]
    assert "A" not in made.env


def test_secrets_are_read_by_a_shell_and_are_in_no_argument(tmp_path: Path) -> None:
    secrets = {"T": "it's $HOME\n`x` \"", "U": ""}
    path = write_exports(tmp_path / "s", secrets)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    made = contain(INNER, Docker("/d"), "id", "n", {}, path, [])
    assert not any("HOME" in word for word in made.argv)
    shell = made.argv[made.argv.index("--entrypoint") + 1]
    script = made.argv[made.argv.index("id") + 1 :][:-3]
    told = [shell, *script, "sh", "-c", 'printf %s "$T"']
    done = subprocess.run(told, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout.decode() == secrets["T"]


def test_without_secrets_no_shell_is_needed(tmp_path: Path) -> None:
    assert write_exports(tmp_path / "s", {}) is None
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("info", "user", "shm"),
    [
        ({"MemTotal": 1 << 34}, f"--user={os.getuid()}:{os.getgid()}", 1 << 33),
        ({"SecurityOptions": ["name=rootless"]}, "--user=0:0", 64 << 20),
    ],
)
def test_files_belong_to_the_login_user(info: dict[str, object], user: str, shm: int) -> None:
    words = list(options_of(make_spec(), ContainerWish(image="a"), 2, info))
    assert user in words
    assert f"--shm-size={shm}" in words
    assert "--label=runctl.attempt=2" in words


def test_what_the_user_says_comes_last() -> None:
    wish = ContainerWish(image="a", shm_bytes=5, options=("--memory=2g",))
    words = list(options_of(make_spec(), wish, 1, {}))
    assert (words[-1], "--shm-size=5" in words) == ("--memory=2g", True)


def test_a_checkpoint_folder_elsewhere_is_seen_as_well(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "attempt")
    inside = make_spec(checkpoint=CheckpointWish(folder="out"))
    assert folder.code / "out" not in places_of(inside, folder, None)
    outside = make_spec(checkpoint=CheckpointWish(folder="/mnt/data/out"))
    places = places_of(outside, folder, folder.resume / "last")
    assert list(places)[-2:] == [folder.resume, Path("/mnt/data/out")]


def test_a_volume_is_seen_and_written_only_as_asked(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "attempt")
    volumes = (VolumeAsk(path="/mnt/a", source="a"), VolumeAsk(path="/b", gib=1, is_read_only=True))
    spec = make_spec(checkpoint=CheckpointWish(folder="/mnt/a/out"), volumes=volumes)
    places = places_of(spec, folder, None)
    assert (places[Path("/mnt/a")], places[Path("/b")]) == (True, False)
    assert Path("/mnt/a/out") not in places
    words = contain(INNER, Docker("/d"), "id", "n", places, None, []).argv
    assert [word.endswith(",readonly") for word in words if '"source=/b"' in word] == [True]


@pytest.mark.parametrize(
    ("wanted", "python"), [(None, "python3"), ("3.12", "python3.12"), ("/opt/p", "/opt/p")]
)
def test_python_is_the_image_s_own(wanted: str | None, python: str) -> None:
    assert python_of(wanted) == python


def test_a_terminal_is_passed_on_where_there_is_one() -> None:
    assert with_terminal([], is_there=True) == []
    assert with_terminal(["d", "exec", "n"], is_there=False) == ["d", "exec", "n"]
    assert with_terminal(["d", "exec", "n"], is_there=True) == ["d", "exec", "--tty", "n"]


# -- ECR

HOST = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
ROLE = {"iam/security-credentials/": "digits\n"}
TOLD = '{"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T", "Expiration": "later"}'


def test_ecr_is_known_by_its_name() -> None:
    found = find_ecr(f"{HOST}/team/digits")
    assert found is not None
    assert (found.host, found.region, found.name) == (HOST, "cn-north-1", "team/digits")
    assert endpoint_of(found.region, found.domain, {}) == (
        "https://api.ecr.cn-north-1.amazonaws.com.cn"
    )
    assert endpoint_of(found.region, found.domain, {"AWS_ENDPOINT_URL": "http://h"}) == "http://h"


@pytest.mark.parametrize("name", ["python", "ghcr.io/a/b", f"evil.example/{HOST}/a", HOST])
def test_no_other_registry_is_given_its_password(name: str) -> None:
    assert find_ecr(name) is None


def test_the_keys_of_the_role_are_asked_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**ROLE, "iam/security-credentials/digits": TOLD}
    monkeypatch.setattr("runctl.agent.metadata.Metadata.read", lambda _, path: answers.get(path))
    assert find_keys({}) == Keys("A", "S", "T")
    own = {"AWS_ACCESS_KEY_ID": "B", "AWS_SECRET_ACCESS_KEY": "C"}
    assert find_keys(own) == Keys("B", "C", None)
    answers.clear()
    assert find_keys({}) is None


def test_where_nobody_answers_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, path: str) -> str:
        raise HTTPException(path)

    monkeypatch.setattr("runctl.agent.metadata.Metadata.read", refuse)
    assert find_keys({}) is None


def test_a_role_s_token_is_signed_as_well() -> None:
    headers = sign("h", "us-east-1", Keys("A", "S", "T"), datetime(2026, 1, 2, tzinfo=UTC))
    assert headers["x-amz-security-token"] == "T"
    assert "host;x-amz-date;x-amz-security-token;x-amz-target" in headers["authorization"]
    assert "Credential=A/20260102/us-east-1/ecr/aws4_request" in headers["authorization"]
