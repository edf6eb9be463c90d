"""The contract that every transport keeps; subclass it with a maker.

::

    class TestLocal(TransportContract):
        def make_transport(self): return LocalTransport()
        def remote_folder(self, folder): return str(folder)

The instance is any POSIX machine: the suite runs sh, cat, kill, printf and true on it.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import pytest

from runctl.errors import TransportError
from runctl.transports.api import Transport

BINARY = bytes(range(256)) * 4096
ODD_ARGUMENTS = (
    "", " ", "two words", "'single'", '"double"', "$HOME", "$(false)", "`false`", "*", "~", "a;b",
    "a&&b", "|", ">x", "\\", "\\n", "new\nline", "tab\t", "#", "!", "%s", "-n", "--", "ö", "🚂",
    os.fsdecode(b"\xff\xfe"),
)  # fmt: skip
ODD_NAMES = ("plain", "two words", "it's", 'a"b', "$HOME", "-n", "#", "ö", "a;b", "new\nline")


class TransportContract(ABC):
    @abstractmethod
    def make_transport(self) -> Transport:
        """Return a way to an instance that is up."""

    @abstractmethod
    def remote_folder(self, folder: Path) -> str:
        """Return the path of an empty folder on the instance; ``folder`` is empty, and here."""

    @pytest.fixture
    def transport(self) -> Transport:
        return self.make_transport()

    @pytest.fixture
    def remote(self, tmp_path: Path) -> str:
        there = tmp_path / "there"
        there.mkdir()
        return self.remote_folder(there)

    @pytest.fixture
    def here(self, tmp_path: Path) -> Path:
        folder = tmp_path / "here"
        folder.mkdir()
        return folder

    # -- exec

    def test_both_streams_and_the_status_come_back(self, transport: Transport) -> None:
        done = transport.exec(["sh", "-c", "printf out; printf err >&2; exit 3"])
        assert (done.status, done.stdout, done.stderr) == (3, b"out", b"err")

    def test_the_status_of_success_is_0(self, transport: Transport) -> None:
        done = transport.exec(["true"])
        assert (done.status, done.stdout, done.stderr) == (0, b"", b"")

    def test_a_signal_is_a_negative_status(self, transport: Transport) -> None:
        assert transport.exec(["sh", "-c", "kill -9 $$"]).status == -9

    def test_arguments_arrive_byte_for_byte(self, transport: Transport) -> None:
        done = transport.exec(["printf", "%s\\0", *ODD_ARGUMENTS])
        assert done.stdout == b"".join(os.fsencode(each) + b"\0" for each in ODD_ARGUMENTS)

    def test_input_arrives_and_ends(self, transport: Transport) -> None:
        assert transport.exec(["cat"], stdin=BINARY).stdout == BINARY
        assert transport.exec(["cat"]).stdout == b""

    def test_a_command_that_does_not_read_its_input_is_no_fault(self, transport: Transport) -> None:
        assert transport.exec(["true"], stdin=BINARY).status == 0

    def test_much_output_comes_back_whole(self, transport: Transport) -> None:
        script = "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done"
        done = transport.exec(["sh", "-c", script])
        assert done.stdout.split(b"\n")[:-1] == [b"line %d" % number for number in range(40000)]

    def test_a_command_that_is_not_there_is_named(self, transport: Transport) -> None:
        with pytest.raises(TransportError, match="absent-command"):
            transport.exec(["absent-command", "x"])

    def test_attach_returns_the_status(self, transport: Transport) -> None:
        assert transport.attach(["sh", "-c", "exit 7"]) == 7
        with pytest.raises(TransportError, match="absent-command"):
            transport.attach(["absent-command"])

    # -- put and get

    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
    @pytest.mark.parametrize("data", [b"", b"text\n", BINARY], ids=["empty", "text", "binary"])
    def test_a_file_goes_there_and_back(
        self, transport: Transport, remote: str, here: Path, data: bytes, mode: int
    ) -> None:
        source, target = here / "source", here / "back"
        source.write_bytes(data)
        source.chmod(mode)
        transport.put(source, f"{remote}/file")
        assert transport.exec(["cat", f"{remote}/file"]).stdout == data
        source.unlink()
        transport.get(f"{remote}/file", target)
        assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (data, mode)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_names_are_only_names(
        self, transport: Transport, remote: str, here: Path, name: str
    ) -> None:
        (here / name).write_bytes(b"1")
        transport.put(here / name, f"{remote}/{name}")
        assert _names(transport, remote) == [name]
        transport.get(f"{remote}/{name}", here / "back")
        assert (here / "back").read_bytes() == b"1"

    def test_folders_on_the_way_are_made(
        self, transport: Transport, remote: str, here: Path
    ) -> None:
        (here / "a").write_bytes(b"1")
        transport.put(here / "a", f"{remote}/new/deep er/a")
        transport.get(f"{remote}/new/deep er/a", here / "other" / "deep" / "a")
        assert (here / "other" / "deep" / "a").read_bytes() == b"1"

    def test_what_is_there_is_replaced(self, transport: Transport, remote: str, here: Path) -> None:
        for content in (b"a long first one", b"second"):
            (here / "a").write_bytes(content)
            transport.put(here / "a", f"{remote}/a")
            transport.get(f"{remote}/a", here / "back")
            assert (here / "back").read_bytes() == content
        assert _names(transport, remote) == ["a"]

    def test_what_is_missing_is_named_and_nothing_is_left(
        self, transport: Transport, remote: str, here: Path
    ) -> None:
        (here / "kept").write_bytes(b"kept")
        with pytest.raises(TransportError, match="absent"):
            transport.get(f"{remote}/absent", here / "kept")
        with pytest.raises(TransportError, match="absent"):
            transport.put(here / "absent", f"{remote}/a")
        assert [file.name for file in here.iterdir()] == ["kept"]
        assert (here / "kept").read_bytes() == b"kept"
        assert _names(transport, remote) == []

    def test_a_target_that_cannot_be_written_is_named_and_nothing_is_left(
        self, transport: Transport, remote: str, here: Path
    ) -> None:
        (here / "a").write_bytes(b"1")
        transport.put(here / "a", f"{remote}/folder/a")
        with pytest.raises(TransportError, match="folder"):
            transport.put(here / "a", f"{remote}/folder")
        with pytest.raises(TransportError, match="folder/a/b"):
            transport.put(here / "a", f"{remote}/folder/a/b")
        assert _names(transport, remote) == ["folder"]


def _names(transport: Transport, remote: str) -> Sequence[str]:
    """Every name in a folder of the instance, hidden ones too."""
    script = 'cd "$1" && for f in .* *; do [ -e "$f" ] && printf "%s\\0" "$f"; done; true'
    found = os.fsdecode(transport.exec(["sh", "-c", script, "sh", remote]).stdout)
    return [name for name in found.split("\0")[:-1] if name not in (".", "..")]
