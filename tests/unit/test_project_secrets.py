"""Secrets are known by the names of their files, and by the form of the token."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runctl.project import Patterns, select_files
from runctl.project.secret_rules import FORMS, judge_name, judge_text
from runctl.project.secrets import LARGEST_BYTES, Suspect, find_suspects

# Put together here, so that no scanner takes this file for a leak.
RANDOM = "bN7rQ2xKf9WmTz4VhJ8pLs3YcGd6RuEa1XvB0nMi5oPqSwDyHtZkFgUjCrAeIlO"
AWS_KEY = "AKIA" + "Q3EGRIXL5W2NZV7K"
TOKENS = {
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----\n" + RANDOM,
    "an AWS access key": f'key = "{AWS_KEY}"',
    "an AWS secret key": "aws_secret_access_key = " + RANDOM[:40],
    "a GitHub token": "https://ghp_" + RANDOM[:36] + "@github.com",
    "a GitLab token": "glpat-" + RANDOM[:20],
    "a Hugging Face token": "login('hf_" + RANDOM[:34] + "')",
    "an OpenAI key": "sk-proj-" + RANDOM[:24] + "T3Blbk" + "FJ" + RANDOM[:24],
    "an Anthropic key": "sk-ant-api03-" + (RANDOM + RANDOM)[:93] + "AA",
    "a Google key": "AIza" + RANDOM[:35],
    "a Slack token": "xoxb-1234567890-" + RANDOM[:24],
    "a Stripe key": "sk_live_" + RANDOM[:24],
    "an npm token": "npm_" + RANDOM[:36],
    "a PyPI token": "pypi-AgEIcHlwaS5vcmc" + RANDOM,
    "a SendGrid key": f"SG.{RANDOM[:22]}.{RANDOM[:43]}",
    "a Databricks token": "dapi" + "0123456789abcdef" * 2,
    "a Weights & Biases key": "export WANDB_API_KEY=" + "0123456789abcdef0123" * 2,
}


def test_every_form_has_a_sample() -> None:
    assert {form.what for form in FORMS} == set(TOKENS)


@pytest.mark.parametrize("what", TOKENS)
def test_a_token_is_told_with_its_line(what: str) -> None:
    text = f"import os\n# a comment\n{TOKENS[what]}\nprint()\n"
    assert judge_text(text.encode()) == (what, 3)


def test_a_key_is_told_in_all_its_dresses() -> None:
    head = "-----BEGIN PRIVATE" + " KEY-----"
    for between in ("\n", "\r\n", "\\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0\n\n"):
        assert judge_text(f"{head}{between}{RANDOM}".encode()) == ("a private key", 1)


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",  # AWS's own, in its documentation
        "ghp_" + "x" * 36,
        "-----BEGIN PRIVATE KEY-----",
        'if line.startswith("-----BEGIN RSA PRIVATE KEY-----"): ...',
        "-----BEGIN PUBLIC KEY-----\n" + RANDOM,
        f'HEADER = "-----BEGIN RSA PRIVATE KEY-----"\nALPHABET = "{RANDOM}"',
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "wandb @ git+https://github.com/wandb/wandb@0123456789abcdef0123456789abcdef01234567",
        'os.environ["WANDB_API_KEY"]',
        "AWS_SECRET_ACCESS_KEY = os.environ['AWS_SECRET_ACCESS_KEY']",
        "test_that_a_function_has_a_name_of_great_length_indeed",
    ],
)
def test_what_is_no_secret_is_not_told(text: str) -> None:
    assert judge_text(text.encode()) is None


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (".env", "variables"),
        ("deploy/.env.production", "variables"),
        ("prod.env", "variables"),
        ("keys/id_ed25519", "an SSH key"),
        ("store.p12", "a key store"),
        (".netrc", "passwords"),
        ("x/.aws/credentials", "credentials"),
        ("kaggle.json", "credentials"),
        (".env.example", None),
        ("id_rsa.pub", None),
        ("environment.yml", None),
        ("aws/credentials.py", None),
        ("env/train.py", None),
        ("cacert.pem", None),
    ],
)
def test_a_name_tells(path: str, what: str | None) -> None:
    assert judge_name(path) == what


# -- in a project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def look(root: Path, *allowed: str) -> list[Suspect]:
    patterns = Patterns(allowed, "code.allow")
    return find_suspects(select_files(root), patterns, root.parent / "cache")


def test_names_and_contents_are_found_and_allowed_ones_are_not(root: Path) -> None:
    (root / ".env").write_text("A=1")
    (root / "train.py").write_text(f"\n{TOKENS['an AWS access key']}")
    (root / "empty.env").touch()
    assert look(root) == [
        Suspect(".env", "variables", None, is_tracked=False),
        Suspect("train.py", "an AWS access key", 2, is_tracked=False),
    ]
    assert [one.path for one in look(root, "/.env")] == ["train.py"]
    assert look(root, "*.py", ".env") == []


def test_large_and_binary_files_are_not_read(root: Path) -> None:
    (root / "large.txt").write_text(AWS_KEY + "\n" * LARGEST_BYTES)
    (root / "model.bin").write_bytes(b"\0" + AWS_KEY.encode())
    (root / "link.py").symlink_to("model.bin")
    assert look(root) == []


def test_a_clean_file_is_looked_at_once_and_again_when_it_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "train.py"
    path.write_text("print(1)\n")
    later = time.time_ns() + 60 * 10**9
    monkeypatch.setattr("runctl.project.secrets.time.time_ns", lambda: later)
    assert look(root) == []
    monkeypatch.setattr("runctl.project.secrets.judge_text", _refuse)
    assert look(root) == []
    monkeypatch.undo()
    path.write_text(AWS_KEY)
    assert [one.path for one in look(root)] == ["train.py"]
    assert [one.path for one in look(root)] == ["train.py"]  # a suspect is never remembered


def _refuse(_data: bytes) -> None:
    raise AssertionError("a file that is known was read again")


def test_a_file_that_may_yet_change_is_not_remembered(root: Path) -> None:
    path = root / "train.py"
    clean = "#" * len(AWS_KEY)
    path.write_text(clean)
    status = path.stat()
    assert look(root) == []
    path.write_text(AWS_KEY)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [one.path for one in look(root)] == ["train.py"]


def test_a_torn_memory_is_begun_anew(root: Path) -> None:
    (root / "train.py").write_text(AWS_KEY)
    look(root)
    (root.parent / "cache" / "clean").mkdir(parents=True, exist_ok=True)
    for path in (root.parent / "cache" / "clean").iterdir():
        path.write_bytes(b'{"train.py": [1')
    assert [one.path for one in look(root)] == ["train.py"]


def test_two_thousand_files_take_no_time(root: Path) -> None:
    text = ("def train(model, data):\n    return model(data) + 1\n" * 180)[:9000]
    for number in range(2000):
        (root / f"module_{number}.py").write_text(text)
    selection = select_files(root)
    before = time.process_time()
    assert find_suspects(selection, Patterns((), "code.allow"), root.parent / "cache") == []
    assert time.process_time() - before < 0.5  # 0.15 s alone on the machine
