"""Hugging Face folders: weights in one file or in shards with an index, and what goes with them."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from runctl.errors import FormatNotJudged, IntegrityError, UnsafePath
from runctl.store.formats.description import (
    TENSORS_LISTED,
    Description,
    Format,
    Verdict,
    Wholeness,
    undecided,
    whole,
)
from runctl.store.formats.findings import Findings, printable
from runctl.store.formats.json_document import read_document
from runctl.store.formats.selection import describe_as, judge, select

WEIGHTS = ("model.safetensors", "pytorch_model.bin", "adapter_model.safetensors",
           "adapter_model.bin", "diffusion_pytorch_model.safetensors",
           "diffusion_pytorch_model.bin")  # fmt: skip
INDEX_SUFFIX = ".index.json"
TRAINER_STATE = "trainer_state.json"
TRAINER_ARGUMENTS = "training_args.bin"
FILES_LIMIT = 10_000
DEPTH_LIMIT = 4
HISTORY_LIMIT = 100_000
_NUMBERED = re.compile(r"checkpoint-(\d+)")


class HuggingFace:
    """Whole when every shard is there and every file in the folder is whole.

    The Trainer writes ``trainer_state.json`` last, and accelerate ``random_states_0.pkl``; a
    folder called ``checkpoint-N`` that has neither may still be growing, and is not judged.
    """

    name = "huggingface"
    suffixes: frozenset[str] = frozenset()

    def __init__(self, file_formats: Sequence[Format]) -> None:
        self._file_formats = file_formats

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        if not path.is_dir():
            return False
        names = {each.name for each in path.iterdir()}
        return bool(names & {*WEIGHTS, TRAINER_STATE}) or any(map(_is_index, names))

    def check(self, path: Path, *, deep: bool) -> Verdict:
        weights = _weights(path)
        if (path / TRAINER_ARGUMENTS).exists() and not (path / TRAINER_STATE).exists():
            raise IntegrityError(f"{TRAINER_STATE}, which is written last, is missing")
        for file in _files(path):
            self._check_file(path, file, deep=deep, is_weight=file in weights)
        if _NUMBERED.fullmatch(path.name) and not _has_last_file(path):
            return undecided("nothing in the folder tells that its last file was written")
        return whole(f"all {len(weights)} weight files are there, and no file is torn")

    def describe(self, path: Path) -> Description:
        weights = _weights(path)
        parts = [describe_as(file, select(file, self._file_formats)) for file in weights]
        findings = Findings()
        state = path / TRAINER_STATE
        if state.exists():
            _explore_state(findings, read_document(_inside(path, state)))
        size_bytes = sum(file.stat().st_size for file in _files(path))
        own = findings.description(self.name, size_bytes)
        return _merge(own, parts, _numbered_step(path))

    def _check_file(self, folder: Path, file: Path, *, deep: bool, is_weight: bool) -> None:
        verdict = judge(file, select(file, self._file_formats), deep=deep)
        name = printable(str(file.relative_to(folder)))
        if verdict.wholeness is Wholeness.TORN:
            raise IntegrityError(f"{name}: {verdict.reason}")
        if is_weight and verdict.wholeness is Wholeness.UNKNOWN:
            raise FormatNotJudged(f"{name}: {verdict.reason}")


def _is_index(name: str) -> bool:
    return name.endswith(INDEX_SUFFIX)


def _has_last_file(path: Path) -> bool:
    return (path / TRAINER_STATE).exists() or any(path.glob("random_states_*.pkl"))


def _numbered_step(path: Path) -> int | None:
    found = _NUMBERED.fullmatch(path.name)
    return int(found[1][:18]) if found else None


def _weights(path: Path) -> list[Path]:
    """The files that hold the model; IntegrityError where one of them is missing."""
    shards: dict[str, None] = {}
    for index in sorted(each for each in path.iterdir() if _is_index(each.name)):
        shards |= dict.fromkeys(_shards(_inside(path, index)))
    names = [*(name for name in WEIGHTS if (path / name).is_file()), *shards]
    if not names:
        raise IntegrityError("holds no weights: neither a model file nor an index of shards")
    return [_existing(path, name) for name in dict.fromkeys(names)]


def _shards(index: Path) -> list[str]:
    document = read_document(index)
    weight_map = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise IntegrityError(f"{index.name} maps no weights")
    names = sorted({str(each) for each in weight_map.values()})
    if len(names) > FILES_LIMIT:
        raise IntegrityError(f"{index.name} names {len(names)} shards")
    return names


def _existing(folder: Path, name: str) -> Path:
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise UnsafePath(f"its index names {printable(name)!r}, which is not a file in the folder")
    file = folder / name
    if not file.is_file():
        raise IntegrityError(f"shard {printable(name)} is missing")
    return _inside(folder, file)


def _inside(folder: Path, file: Path) -> Path:
    """The same path; UnsafePath where a link leads out of the folder."""
    if not file.resolve().is_relative_to(folder.resolve()):
        raise UnsafePath(f"{printable(file.name)} is a link that leads out of the folder")
    return file


def _files(folder: Path) -> list[Path]:
    """All regular files, in order; IntegrityError where there are too many to look at."""
    files: list[Path] = []
    for file in _walk(folder, folder, 0):
        files.append(file)
        if len(files) > FILES_LIMIT:
            raise IntegrityError(f"holds more than {FILES_LIMIT} files")
    return files


def _walk(root: Path, folder: Path, depth: int) -> Iterator[Path]:
    for each in sorted(folder.iterdir()):
        mode = each.lstat().st_mode
        if stat.S_ISLNK(mode):
            mode = _inside(root, each).stat().st_mode if each.exists() else 0
        elif stat.S_ISDIR(mode) and depth < DEPTH_LIMIT:
            yield from _walk(root, each, depth + 1)
        if stat.S_ISREG(mode):
            yield each


def _explore_state(findings: Findings, state: object) -> None:
    if not isinstance(state, dict):
        return
    findings.explore({key: value for key, value in state.items() if key != "log_history"})
    history = state.get("log_history")
    latest: dict[str, object] = {}
    for entry in history[-HISTORY_LIMIT:] if isinstance(history, list) else []:
        latest |= entry if isinstance(entry, dict) else {}
    findings.explore(
        {"metrics": {key: latest[key] for key in latest if key not in ("step", "epoch")}}
    )


def _merge(own: Description, parts: list[Description], step: int | None) -> Description:
    """One description of the folder: progress from its state, tensors from its shards."""
    tensors = [tensor for part in parts for tensor in part.tensors][:TENSORS_LISTED]
    dtypes: dict[str, int] = {}
    for part in parts:
        for dtype, count in part.dtypes.items():
            dtypes[dtype] = dtypes.get(dtype, 0) + count
    return msgspec.structs.replace(
        own,
        step=step if own.step is None else own.step,
        tensors=tuple(tensors),
        tensor_count=sum(part.tensor_count for part in parts),
        parameter_count=sum(part.parameter_count for part in parts),
        dtypes=dtypes,
        notes=tuple(dict.fromkeys(note for part in [own, *parts] for note in part.notes)),
    )
