"""The oldest torch files, tar archives with the members storages, tensors and pickle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.source import FileSource
from runctl.store.formats.symbolic import Machine
from runctl.store.formats.torch_zip import machine_notes

BLOCK_BYTES = 512
MEMBERS_LIMIT = 1_000
MEMBERS = ("pickle", "storages", "tensors")


class Entry(msgspec.Struct, frozen=True):
    """One member of the tar: its name, and where its bytes are."""

    name: str
    offset: int
    size_bytes: int


class TorchTar:
    """Wholeness by the tar's lengths and its end mark; deep, also by reading the pickle."""

    name = "torch-tar"
    suffixes: frozenset[str] = frozenset()

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        name = head[:100].rstrip(b"\0").removeprefix(b"./")
        return head[257:262] == b"ustar" and name in (
            b"pickle",
            b"storages",
            b"tensors",
            b"sys_info",
        )

    def check(self, path: Path, *, deep: bool) -> Verdict:
        with path.open("rb") as handle:
            entries = _entries(handle)
            if deep:
                _machine(handle, entries).run()
        return whole("every member of the tar is there, and so is its end")

    def describe(self, path: Path) -> Description:
        with path.open("rb") as handle:
            machine = _machine(handle, _entries(handle))
            findings = Findings()
            findings.explore(machine.run())
        findings.notes += [*machine_notes(machine), "tensors of this old format are not listed"]
        return findings.description(self.name, path.stat().st_size)


def _machine(handle: BinaryIO, entries: dict[str, Entry]) -> Machine:
    entry = entries["pickle"]
    return Machine(FileSource(handle, entry.offset, entry.offset + entry.size_bytes))


def _entries(handle: BinaryIO) -> dict[str, Entry]:
    entries = {entry.name: entry for entry in _walk(handle)}
    missing = [name for name in MEMBERS if name not in entries]
    if missing:
        raise IntegrityError(f"member {missing[0]!r} is missing")
    return entries


def _walk(handle: BinaryIO) -> Iterator[Entry]:
    source = FileSource(handle)
    for _ in range(MEMBERS_LIMIT):
        block = source.read(BLOCK_BYTES)
        if not any(block):
            _check_end(source)
            return
        size = _size(block)
        name = block[:100].rstrip(b"\0").decode("utf-8", "replace")
        yield Entry(name.removeprefix("./"), source.tell(), size)
        source.skip(-(-size // BLOCK_BYTES) * BLOCK_BYTES)
    raise FormatNotJudged("has more members than such a file ever had")


def _check_end(source: FileSource) -> None:
    """A tar ends with two empty blocks, and is filled up with more of them."""
    if any(source.read(BLOCK_BYTES)):
        raise IntegrityError("the end mark of the tar is damaged")
    while not source.is_at_end():
        source.read(BLOCK_BYTES)
    if source.tell() % (20 * BLOCK_BYTES):
        raise IntegrityError("the tar's last record is cut")


def _size(block: bytes) -> int:
    """The size in a header whose checksum is right."""
    try:
        size, checksum = (
            int(part.strip(b" \0") or b"0", 8) for part in (block[124:136], block[148:156])
        )
    except ValueError as error:
        raise IntegrityError("a header of the tar is damaged") from error
    if checksum != sum(block) - sum(block[148:156]) + 8 * 32 or size < 0:
        raise IntegrityError("a header of the tar does not match its checksum")
    return size
