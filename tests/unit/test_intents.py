"""What is about to be rented is written down: by processes that are really killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from runctl.engine.renting.intents import take_up
from runctl.errors import ConfigError

ASKED = b"one g5.xlarge"
WRITER = """
import sys
from pathlib import Path
from runctl.engine.renting.intents import take_up
intent = take_up(Path(sys.argv[1]), sys.argv[2].encode(), lambda: sys.argv[3])
print(intent.token, intent.is_taken_up, flush=True)
sys.stdin.read()
"""
Start = Callable[..., "Writer"]


class Writer:
    """A process that has an intent, for as long as it lives."""

    def __init__(self, folder: Path, asked: bytes, token: str) -> None:
        argv = [sys.executable, "-c", WRITER, str(folder), asked.decode(), token]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.told = self.process.stdout.readline().decode().split()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Writer] = []

    def make(token: str, asked: bytes = ASKED) -> Writer:
        made.append(Writer(tmp_path, asked, token))
        return made[-1]

    yield make
    for one in made:
        if one.process.returncode is None:
            one.kill()


def _tokens() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"own-{next(numbers)}"


def test_a_killed_process_leaves_its_token_to_the_next(start: Start, tmp_path: Path) -> None:
    first = start("first")
    assert first.told == ["first", "False"]
    first.kill()
    intent = take_up(tmp_path, ASKED, _tokens())
    assert (intent.token, intent.is_taken_up) == ("first", True)
    intent.settle()
    assert list(tmp_path.iterdir()) == []
    assert not take_up(tmp_path, ASKED, _tokens()).is_taken_up


def test_a_process_that_lives_keeps_its_token(start: Start, tmp_path: Path) -> None:
    first, second = start("first"), start("second")
    assert second.told == ["second", "False"]
    second.kill()
    assert take_up(tmp_path, ASKED, _tokens()).token == "second"
    first.kill()
    assert take_up(tmp_path, ASKED, _tokens()).token == "first"


def test_each_of_several_that_were_killed_is_taken_up_once(start: Start, tmp_path: Path) -> None:
    writers = [start(f"token-{number}") for number in range(3)]
    for one in writers:
        one.kill()
    taken = [take_up(tmp_path, ASKED, _tokens()) for _ in range(4)]
    assert sorted(one.token for one in taken[:3]) == ["token-0", "token-1", "token-2"]
    assert (taken[3].token, taken[3].is_taken_up) == ("own-1", False)


def test_something_else_has_a_token_of_its_own(start: Start, tmp_path: Path) -> None:
    start("first").kill()
    assert take_up(tmp_path, b"two of them", _tokens()).token == "own-1"


def test_it_is_on_disk_and_for_the_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "intents"
    intent = take_up(folder, ASKED, _tokens())
    [path] = folder.iterdir()
    assert path == intent.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"own-1" in path.read_bytes()


def test_what_was_settled_while_it_was_opened_is_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take_up(tmp_path, ASKED, _tokens())
    really_open = os.open

    def open_late(path: str | Path, flags: int, *rest: int) -> int:
        descriptor = really_open(path, flags, *rest)
        if Path(path) == first.path and first.path.exists():
            first.settle()
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    assert not take_up(tmp_path, ASKED, lambda: "mine").is_taken_up


def test_what_cannot_be_read_is_not_passed_over(start: Start, tmp_path: Path) -> None:
    start("first").kill()
    [path] = tmp_path.iterdir()
    path.write_bytes(b"{}")
    with pytest.raises(ConfigError, match="does not say what was about to be rented") as caught:
        take_up(tmp_path, ASKED, _tokens())
    assert str(path) in (caught.value.hint or "")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be written down"):
        take_up(tmp_path / "file", ASKED, _tokens())
