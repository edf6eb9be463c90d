"""Checkpoint formats: whether a file is whole, and what is inside, without running any of it.

A new format is one module with a class that keeps the Format protocol, one line in the table
below, and one sample maker for ``runctl.testing.formats``.
"""

from __future__ import annotations

from pathlib import Path

from runctl.store.formats.description import (
    Description,
    Format,
    TensorInfo,
    Verdict,
    Wholeness,
    metric_of,
)
from runctl.store.formats.huggingface import HuggingFace
from runctl.store.formats.json_document import JsonDocument
from runctl.store.formats.numpy_archive import NumpyArchive
from runctl.store.formats.numpy_array import NumpyArray
from runctl.store.formats.pickled import Pickled
from runctl.store.formats.safetensors import Safetensors
from runctl.store.formats.selection import describe_as, judge, select
from runctl.store.formats.torch_legacy import TorchLegacy
from runctl.store.formats.torch_tar import TorchTar
from runctl.store.formats.torch_zip import TorchZip
from runctl.store.formats.zip_archive import ZipArchive

# The first whose content matches wins, so the stricter comes before the more general.
FILE_FORMATS: tuple[Format, ...] = (
    NumpyArchive(),
    TorchZip(),
    ZipArchive(),
    TorchLegacy(),
    TorchTar(),
    Pickled(),
    Safetensors(),
    NumpyArray(),
    JsonDocument(),
)
FORMATS: tuple[Format, ...] = (HuggingFace(FILE_FORMATS), *FILE_FORMATS)

__all__ = [
    "FORMATS",
    "Description",
    "Format",
    "TensorInfo",
    "Verdict",
    "Wholeness",
    "check",
    "describe",
    "inspect_format",
    "is_whole",
    "metric_of",
]


def inspect_format(path: Path) -> Format:
    """The format of a checkpoint, file or folder; ``unknown`` where none fits."""
    return select(path, FORMATS)


def check(path: Path, *, deep: bool) -> Verdict:
    """Judge wholeness: shallow by structure, deep also by every checksum the format has.

    Shallow never reads tensors, except where a compressed pickle must be expanded to find
    its end; deep reads everything. CheckpointNotFound where there is nothing at ``path``.
    """
    return judge(path, inspect_format(path), deep=deep)


def is_whole(path: Path) -> Wholeness:
    """Whether all of a checkpoint is there, by its structure."""
    return check(path, deep=False).wholeness


def describe(path: Path) -> Description:
    """What is inside; IntegrityError, naming the path, when the checkpoint is torn."""
    return describe_as(path, inspect_format(path))
