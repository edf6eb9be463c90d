"""What torch.save wrote before 1.6: pickles in a row, then every storage with its length."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.inert import Storage
from runctl.store.formats.source import FileSource, Source
from runctl.store.formats.symbolic import Machine
from runctl.store.formats.torch_zip import machine_notes

MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
PREAMBLE_PICKLES = 3
_COUNT = struct.Struct("<q")


class TorchLegacy:
    """Wholeness by length alone, deep or not: the file carries no checksum."""

    name = "torch-legacy"
    suffixes: frozenset[str] = frozenset()

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head[:1] == b"\x80" and head[2:].startswith(MAGIC)

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        with path.open("rb") as handle:
            _read(handle)
        return whole("every storage is as long as its tensors")

    def describe(self, path: Path) -> Description:
        with path.open("rb") as handle:
            root, machine = _read(handle)
        findings = Findings()
        findings.explore(root)
        findings.notes += machine_notes(machine)
        return findings.description(self.name, path.stat().st_size)


def _read(handle: BinaryIO) -> tuple[object, Machine]:
    """The object and the machine that read it; IntegrityError unless all storages are there."""
    source = FileSource(handle)
    for _ in range(PREAMBLE_PICKLES):
        Machine(source).run()
    machine = Machine(source)
    root = machine.run()
    keys = Machine(source).run()
    if machine.is_cut_short:
        raise FormatNotJudged("is too long a pickle to tell which storages follow it")
    _skip_storages(source, keys, machine.storages)
    return root, machine


def _skip_storages(source: Source, keys: object, storages: dict[str, Storage]) -> None:
    for key in keys if isinstance(keys, list) else []:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise IntegrityError("lists a storage that none of its tensors uses")
        (count,) = _COUNT.unpack(source.read(_COUNT.size))
        if count < storage.count:
            raise IntegrityError(f"storage {key!r} is shorter than its tensors need")
        if storage.dtype.item_bytes is None:
            raise FormatNotJudged(f"storage {key!r} is of a type runctl does not know")
        source.skip(count * storage.dtype.item_bytes)
