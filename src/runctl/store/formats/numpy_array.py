"""numpy's .npy: a magic, a header that is a Python literal, and the array's bytes."""

from __future__ import annotations

import ast
import math
from pathlib import Path

from runctl.errors import IntegrityError
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.dtypes import numpy_dtype
from runctl.store.formats.findings import Findings
from runctl.store.formats.inert import Dtype, Tensor
from runctl.store.formats.rebuild import element_of, shape_of
from runctl.store.formats.source import FileSource, Source
from runctl.store.formats.symbolic import Machine
from runctl.store.formats.torch_zip import machine_notes

MAGIC = b"\x93NUMPY"
HEADER_LIMIT_BYTES = 64 << 10
FIELDS_LIMIT = 1_000


class NumpyArray:
    """Wholeness by length alone, deep or not: the file carries no checksum."""

    name = "npy"
    suffixes = frozenset({".npy"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head.startswith(MAGIC)

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        with path.open("rb") as handle:
            source = FileSource(handle)
            read_array(source)
            # np.save on an open file may be called more than once.
            while not source.is_at_end():
                read_array(source)
        return whole("the array is as long as its header says")

    def describe(self, path: Path) -> Description:
        findings = Findings()
        with path.open("rb") as handle:
            tensor, notes = read_array(FileSource(handle))
        findings.add_tensor((path.stem,), tensor)
        findings.notes += notes
        return findings.description(self.name, path.stat().st_size)


def read_array(source: Source) -> tuple[Tensor, list[str]]:
    """Read past one array; gives it (with its value when it has one element) and notes."""
    tensor = _read_header(source)
    count = math.prod(tensor.shape)
    if tensor.dtype.has_objects:
        machine = Machine(source)
        machine.run()
        return tensor, machine_notes(machine)
    size_bytes = count * (tensor.dtype.item_bytes or 0)
    if count == 1 and size_bytes <= 16:
        tensor.value = element_of(tensor, source.read(size_bytes))
    else:
        source.skip(size_bytes)
    return tensor, []


def _read_header(source: Source) -> Tensor:
    if source.read(len(MAGIC)) != MAGIC:
        raise IntegrityError("has bytes where an array should begin")
    width = 2 if source.read(2)[0] == 1 else 4
    length = int.from_bytes(source.read(width), "little")
    if length > HEADER_LIMIT_BYTES:
        raise IntegrityError(f"its array's header claims {length} bytes")
    fields = _literal(source.read(length))
    try:
        tensor = Tensor(_dtype(fields["descr"]), shape_of(fields["shape"]))
    except (KeyError, ValueError) as error:
        raise IntegrityError("its array's header lacks a type or a shape") from error
    return tensor


def _literal(text: bytes) -> dict[str, object]:
    """The header, parsed as a literal: names and calls in it are errors, not run."""
    try:
        fields = ast.literal_eval(text.decode("utf-8").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, Warning) as error:
        raise IntegrityError("its array's header is damaged") from error
    if not isinstance(fields, dict):
        raise IntegrityError("its array's header is no dictionary")
    return {str(key): value for key, value in fields.items() if isinstance(key, str)}


def _dtype(descr: object) -> Dtype:
    if isinstance(descr, list):
        return _record(descr)
    if not isinstance(descr, str):
        raise ValueError("no type")
    known = numpy_dtype(descr.lstrip("<>|="))
    if known is None:
        raise ValueError("an unknown type")
    dtype = Dtype(*known)
    dtype.is_big_endian = descr.startswith(">")
    return dtype


def _record(fields: list[object]) -> Dtype:
    """A structured type: as long as its fields together."""
    if len(fields) > FIELDS_LIMIT:
        raise ValueError("too many fields")
    size, has_objects = 0, False
    for field in fields:
        if not isinstance(field, tuple) or not 2 <= len(field) <= 3:
            raise ValueError("no field")
        inner = _dtype(field[1])
        repeats = math.prod(shape_of(field[2])) if len(field) == 3 else 1
        size += repeats * (inner.item_bytes or 0)
        has_objects |= inner.has_objects
    dtype = Dtype("record", size)
    dtype.has_objects = has_objects
    return dtype
