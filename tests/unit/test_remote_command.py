"""Commands for other machines: quoted byte for byte, and their ends read exactly."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from runctl.errors import TransportError
from runctl.testing.transports import ODD_ARGUMENTS
from runctl.transports.remote_command import RemoteCommand, quoted

SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]


def _run(shell: str, argv: list[str]) -> tuple[int, bytes] | None:
    command = RemoteCommand(argv)
    done = subprocess.run([shell, *command.words[1:]], capture_output=True, check=False)
    return command.read_end(done.stderr, "there")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_quoted_words_as_they_were(shell: str) -> None:
    line = b"printf '%s\\0' " + quoted(ODD_ARGUMENTS)
    done = subprocess.run([shell, "-c", line], capture_output=True, check=True)
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in ODD_ARGUMENTS)


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(TransportError, match="NUL"):
        quoted(["echo", "a\0b"])


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 0", 0), ("exit 3", 3), ("exit 137", 137), ("exit 255", 255),
        ("kill -9 $$", -9), ("kill -15 $$", -15), ("kill -11 $$", -11), ("kill -2 $$", -2),
    ],
)  # fmt: skip
def test_a_status_above_128_is_told_from_a_signal(shell: str, script: str, status: int) -> None:
    assert _run(shell, ["sh", "-c", f"printf err >&2; {script}"]) == (status, b"err")


@pytest.mark.parametrize("name", ["absent-command", "exit", "cd", "/absent/command", "/tmp"])
def test_what_is_no_program_is_named(name: str) -> None:
    with pytest.raises(TransportError, match=f"{name} cannot be run on there"):
        _run("sh", [name])


def test_an_end_that_is_missing_or_torn_is_no_end() -> None:
    command = RemoteCommand(["true"], mark="runctl-1")
    assert command.read_end(b"", "there") is None
    assert command.read_end(b"\nrunctl-1 status 0", "there") is None
    assert command.read_end(b"\nrunctl-2 status 0\n", "there") is None
    assert command.read_end(b"a\nrunctl-1 status 0\nlate", "there") == (0, b"alate")
