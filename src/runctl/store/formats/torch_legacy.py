"""What torch.save wrote before 1.6: pickles in a row, then every storage with its length."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.dtypes import decode_scalar
from runctl.store.formats.findings import Findings
from runctl.store.formats.inert import Storage, Tensor
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
            root, machine, offsets = _read(handle)
            findings = Findings(lambda tensor: _element(handle, offsets, tensor))
            findings.explore(root)
        findings.notes += machine_notes(machine)
        return findings.description(self.name, path.stat().st_size)


def _read(handle: BinaryIO) -> tuple[object, Machine, dict[str, int]]:
    """The object, the machine that read it, and where each storage's bytes begin.

    IntegrityError unless all storages are there.
    """
    source = FileSource(handle)
    for _ in range(PREAMBLE_PICKLES):
        Machine(source).run()
    machine = Machine(source)
    root = machine.run()
    keys = Machine(source).run()
    if machine.is_cut_short:
        raise FormatNotJudged("is too long a pickle to tell which storages follow it")
    return root, machine, _skip_storages(source, keys, machine.storages)


def _skip_storages(source: Source, keys: object, storages: dict[str, Storage]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    for key in keys if isinstance(keys, list) else []:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise IntegrityError("lists a storage that none of its tensors uses")
        (count,) = _COUNT.unpack(source.read(_COUNT.size))
        if count < storage.count:
            raise IntegrityError(f"storage {storage.key!r} is shorter than its tensors need")
        if storage.dtype.item_bytes is None:
            raise FormatNotJudged(f"storage {storage.key!r} is of a type runctl does not know")
        offsets[storage.key] = source.tell()
        source.skip(count * storage.dtype.item_bytes)
    if missing := storages.keys() - offsets:
        raise IntegrityError(f"storage {min(missing)!r} is missing")
    return offsets


def _element(handle: BinaryIO, offsets: dict[str, int], tensor: Tensor) -> int | float | None:
    """The one element of a tensor, out of its storage."""
    storage, size = tensor.storage, tensor.dtype.item_bytes
    if storage is None or size is None or not 0 <= tensor.offset < storage.count:
        return None
    start = offsets[storage.key] + tensor.offset * size
    return decode_scalar(tensor.dtype.name, FileSource(handle, start).read(size))
