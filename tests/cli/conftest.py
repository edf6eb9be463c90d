"""Commands are typed at the installed ``runctl``; what they print is held to golden files.

``RUNCTL_WRITE_GOLDEN=1 pytest tests/cli`` writes the files anew: read the difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.scene import Scene

GOLDEN = Path(__file__).with_name("golden")
RUN_ID = re.compile(r"\b[0-9a-hjkmnp-tv-z]{9}-[0-9a-hjkmnp-tv-z]{5}\b")
Done = subprocess.CompletedProcess[bytes]
Golden = Callable[[str, Done], None]

# What differs from one run, or one machine, to the next. Widths stay, so that tables do.
_CHANGING = [
    (RUN_ID, "<-- run id -->."),
    (re.compile(r"-[0-9a-hjkmnp-tv-z]{5}\b(?= \(<-- run|  |$| [a-z]+:)", re.MULTILINE), "-XXXXX"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"snapshot [0-9a-f]{12}"), "snapshot <digest>"),
    (re.compile(r"usr-[a-z2-7]{16}"), "<owner>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<time>"),
    (re.compile(r"(?<=  )\d\ds(?=  )"), "0s "),  # in a table, on a machine that is busy
    (re.compile(r"(?<![\d.])\d+(\.\d+)?s\b"), "0s"),
    (re.compile(r"Python \S+,"), "Python <python>,"),
    (re.compile(r"local \([^)]+\)"), "local (<host>)"),
    (re.compile(r"started on \S+"), "started on <host>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:<port>"),
    (re.compile(r"\bAKIA[A-Z2-7]{16}\b"), "<access key>"),
    (re.compile(r"(?<=SECRET_ACCESS_KEY[= ])[\w-]{40}"), "<secret>"),
    (re.compile(r'(?<=SECRET_ACCESS_KEY": ")[\w-]{40}'), "<secret>"),
    (re.compile(r"\bfault-[0-9a-f]{8}\b"), "fault-<digits>"),
    (re.compile(r"(?<=^account    )\d{12}$", re.MULTILINE), "<account>"),
    (re.compile(r"(?<=^process    )\d+,", re.MULTILINE), "<pid>,"),
    (re.compile(r"(?<=^memory     )\S+$", re.MULTILINE), "<size>"),
    (re.compile(r"(?<=^lacks      ).+$", re.MULTILINE), "<features>"),
    (re.compile(r"(?<=instances lack, with the tier plain: ).+$", re.MULTILINE), "<features>"),
]
_CHANGING_KEYS = {
    "account": "<account>",
    "cpu_seconds": 0.0,
    "features": "<features>",
    "folder": "<folder>",
    "freed_bytes": 0,
    "host": "<host>",
    "lacks": "<features>",
    "lag_seconds": 0.0,
    "log": "<log>",
    "made": 0.0,
    "memory_bytes": 0,
    "python_version": "<python>",
    "max_rss_bytes": 0,
    "packages": {},
    "pid": 0,
    "platform": "<platform>",
    "python": "<python>",
    "seconds": 0.0,
    "sent_bytes": 0,
    "system": "<system>",
    "time": 0.0,
    "until": 0.0,
    "uptime_s": 0.0,
    "written_ns": 0,
}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A home, a project, and the end of all that was started in them."""
    made = make_scene(tmp_path)
    yield made
    made.end_all()


def make_scene(folder: Path) -> Scene:
    made = Scene(folder)
    made.env |= {"TERM": "dumb", "SHELL": "/bin/bash", "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    return made


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Hold what a command printed, and its exit status, to ``golden/NAME.txt``."""

    def check(name: str, done: Done) -> None:
        path = GOLDEN / f"{name}.txt"
        text = describe(done)
        assert "runctl has a fault" not in text  # nor is it ever written down as right
        if os.environ.get("RUNCTL_WRITE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


def describe(done: Done) -> str:
    """A command, its exit status and both its streams, without what changes each time."""
    words = " ".join(word if word and " " not in word else repr(word) for word in done.args[1:])
    return (
        f"$ runctl {steady(words)}\nexit status {done.returncode}\n"
        f"---- standard output\n{_ended(steady_output(done.stdout.decode()))}"
        f"---- standard error\n{steady(done.stderr.decode())}"
    )


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}<no end of line>\n"


def steady(text: str) -> str:
    # The folder of a scene: everything up to its home or its project.
    text = re.sub(r"(/[\w.-]+)+?/(home|project)(?=[/\s:'\"),]|$)", r"<\2>", text)
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


def steady_output(text: str) -> str:
    """JSON is shown with one value a line, each document by itself."""
    try:
        documents = [json.loads(line) for line in text.splitlines()]
    except json.JSONDecodeError:
        return steady(text)
    if not all(isinstance(document, dict | list) for document in documents):
        return steady(text)
    shown = (json.dumps(_steady_value(one), indent=2, ensure_ascii=False) for one in documents)
    return steady("".join(f"{one}\n" for one in shown))


def _steady_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _CHANGING_KEYS[key] if key in _CHANGING_KEYS and entry else _steady_value(entry)
            for key, entry in value.items()
        }
    return [_steady_value(entry) for entry in value] if isinstance(value, list) else value


def error_of(done: Done) -> dict[str, Any]:
    """The error on standard output, which must hold nothing else."""
    document = json.loads(done.stdout)
    assert list(document) == ["error"]
    error: dict[str, Any] = document["error"]
    assert list(error) == ["code", "exit_code", "message", "hint", "details"]
    assert error["exit_code"] == done.returncode
    return error


def lines_of(data: bytes) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]
