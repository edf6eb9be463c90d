"""Whatever bytes a checkpoint holds, looking at it ends with an answer or an IntegrityError."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runctl.testing import format_samples as samples
from runctl.testing.formats import assert_only_refuses

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz", ".npy", ".pkl", ".joblib",
            ".json", ".keras", ".txt", "")  # fmt: skip
MAGICS = (b"", b"PK\x03\x04", b"PK\x05\x06", b"\x80\x02", b"\x80\x05\x95", b"\x93NUMPY\x01\x00",
          b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"\x1f\x8b\x08", b"\x78\x9c", b"BZh9",
          b"\xfd7zXZ\x00", b"\x5d\x00\x00", b'\x08\0\0\0\0\0\0\0{"', b"[", b"{")  # fmt: skip
RELAXED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def write_json(path: Path) -> None:
    path.write_text(json.dumps({"step": 3, "metrics": {"loss": 0.5}, "w": [1.5] * 9}))


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.pt": lambda path: samples.write_torch_zip(
        path, samples.torch_state(), samples.torch_storages()
    ),
    "a.pth": lambda path: samples.write_torch_legacy(
        path, samples.torch_state(is_legacy=True), samples.torch_storages()
    ),
    "old.pth": lambda path: samples.write_torch_tar(path, {"step": 3}),
    "a.safetensors": lambda path: samples.write_safetensors(path, samples.WEIGHTS, step=3),
    "a.npz": lambda path: samples.write_npz(path, is_compressed=True),
    "a.npy": lambda path: path.write_bytes(samples.npy_bytes((4, 3))),
    "a.pkl": lambda path: path.write_bytes(samples.pickled(samples.pickle_state())),
    "a.json": write_json,
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@cache
def whole_sample(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        WRITERS[name](Path(folder) / name)
        return (Path(folder) / name).read_bytes()


@RELAXED
@given(
    suffix=st.sampled_from(SUFFIXES), magic=st.sampled_from(MAGICS), rest=st.binary(max_size=600)
)
def test_arbitrary_bytes_are_only_refused(
    folder: Path, suffix: str, magic: bytes, rest: bytes
) -> None:
    path = folder / f"odd{suffix}"
    path.write_bytes(magic + rest)
    assert_only_refuses(path)


@pytest.mark.parametrize("name", WRITERS)
@RELAXED
@given(data=st.data())
def test_damaged_samples_are_only_refused(folder: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(whole_sample(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + data.draw(st.integers(0, len(patch)))] = patch
    (folder / name).write_bytes(content)
    assert_only_refuses(folder / name)


@RELAXED
@given(code=st.binary(max_size=400).map(lambda code: b"\x80\x04" + code + b"."))
def test_arbitrary_opcodes_are_only_refused(folder: Path, code: bytes) -> None:
    (folder / "a.pkl").write_bytes(code)
    assert_only_refuses(folder / "a.pkl")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@RELAXED
@given(state=st.recursive(VALUES, lambda each: st.lists(each) | st.dictionaries(st.text(), each)))
def test_every_json_document_is_described(folder: Path, state: object) -> None:
    (folder / "a.json").write_text(json.dumps(state))
    assert_only_refuses(folder / "a.json")
    (folder / "a.npz").write_text(json.dumps(state))
    assert_only_refuses(folder / "a.npz")
