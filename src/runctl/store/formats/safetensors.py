"""safetensors: a length, a JSON header, and the tensors' bytes without gaps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

import msgspec

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.dtypes import SAFETENSORS, decode_scalar
from runctl.store.formats.findings import Findings
from runctl.store.formats.inert import Dtype, Tensor
from runctl.store.formats.rebuild import DIMENSIONS_LIMIT
from runctl.store.formats.source import FileSource

HEADER_LIMIT_BYTES = 100_000_000
HEADER_READ_BYTES = 16 << 20
PREFIX_BYTES = 8


class Entry(msgspec.Struct, frozen=True):
    """A tensor as the header has it; offsets count from the end of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class Header(msgspec.Struct, frozen=True):
    """All tensors, in the order of their bytes, and the free-form metadata."""

    entries: list[tuple[str, Entry]]
    metadata: dict[str, str]
    data_start: int


class Safetensors:
    """Wholeness by the header's offsets, deep or not: the file carries no checksum."""

    name = "safetensors"
    suffixes = frozenset({".safetensors"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        length = int.from_bytes(head[:PREFIX_BYTES], "little")
        return head[PREFIX_BYTES : PREFIX_BYTES + 2] == b'{"' and length <= HEADER_LIMIT_BYTES

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        with path.open("rb") as handle:
            _read_header(handle)
        return whole("the tensors' offsets cover the file from end to end")

    def describe(self, path: Path) -> Description:
        findings = Findings()
        with path.open("rb") as handle:
            header = _read_header(handle)
            for key, text in header.metadata.items():
                _take_text(findings, key, text)
            for name, entry in header.entries:
                tensor = _tensor(entry)
                tensor.value = _element(handle, header, entry, tensor)
                findings.add_tensor(tuple(name.split(".")), tensor)
        return findings.description(self.name, path.stat().st_size)


def _read_header(handle: BinaryIO) -> Header:
    source = FileSource(handle)
    length = int.from_bytes(source.read(PREFIX_BYTES), "little")
    if length > HEADER_LIMIT_BYTES:
        raise IntegrityError(f"its header claims {length} bytes: more than the format allows")
    if length > HEADER_READ_BYTES:
        source.skip(length)
        raise FormatNotJudged(f"its header is {length} bytes long: more than runctl reads")
    header = _decode(source.read(length), PREFIX_BYTES + length)
    _check_offsets(header, handle.seek(0, 2))
    return header


def _decode(text: bytes, data_start: int) -> Header:
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(fields.pop("__metadata__", b"{}"), type=dict[str, str])
        entries = [(name, msgspec.json.decode(raw, type=Entry)) for name, raw in fields.items()]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise IntegrityError(f"its header is damaged: {error}") from error
    entries.sort(key=lambda each: each[1].data_offsets)
    return Header(entries, metadata, data_start)


def _check_offsets(header: Header, size_bytes: int) -> None:
    position = 0
    for name, entry in header.entries:
        begin, end = entry.data_offsets
        if begin != position or end - begin != _size_bytes(name, entry):
            raise IntegrityError(f"tensor {name!r} does not lie where its header says")
        position = end
    if header.data_start + position != size_bytes:
        due = header.data_start + position
        raise IntegrityError(f"is {size_bytes} bytes long where its header tells of {due}")


def _size_bytes(name: str, entry: Entry) -> int:
    if entry.dtype not in SAFETENSORS:
        raise FormatNotJudged(f"tensor {name!r} is of a type that runctl does not know")
    if len(entry.shape) > DIMENSIONS_LIMIT or any(each < 0 for each in entry.shape):
        raise IntegrityError(f"tensor {name!r} has no plausible shape")
    bits = math.prod(entry.shape) * SAFETENSORS[entry.dtype][1]
    if bits % 8:
        raise IntegrityError(f"tensor {name!r} does not fill whole bytes")
    return bits // 8


def _tensor(entry: Entry) -> Tensor:
    name, bits = SAFETENSORS[entry.dtype]
    size = bits // 8 if bits % 8 == 0 else None
    return Tensor(Dtype(name, size), tuple(entry.shape))


def _element(handle: BinaryIO, header: Header, entry: Entry, tensor: Tensor) -> int | float | None:
    if math.prod(tensor.shape) != 1:
        return None
    begin, end = (header.data_start + each for each in entry.data_offsets)
    return decode_scalar(tensor.dtype.name, FileSource(handle, begin, end).read(end - begin))


def _take_text(findings: Findings, key: str, text: str) -> None:
    """Metadata is text only; a number in it counts as one."""
    try:
        value = float(text[:64])
    except ValueError:
        return
    findings.progress.take((key,), int(value) if value.is_integer() else value)
