"""Checkpoints made to do harm: they are refused or described, in little memory, never run."""

from __future__ import annotations

import json
import os
import pickletools
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runctl.errors import IntegrityError
from runctl.store.formats import Wholeness, check, describe, inspect_format, symbolic
from runctl.testing import format_samples as samples
from runctl.testing.formats import MEMORY_LIMIT_BYTES, assert_only_refuses


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= MEMORY_LIMIT_BYTES
    finally:
        tracemalloc.stop()


def is_torn(path: Path) -> bool:
    return check(path, deep=False).wholeness is Wholeness.TORN


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


DEEP = 100_000
BOMBS = {
    "nested lists": b"\x80\x02" + b"]" * DEEP + b"a" * (DEEP - 1) + b".",
    "nested tuples": b"\x80\x02)" + b"\x85" * DEEP + b".",
    "nested tuple as a key": b"\x80\x02})" + b"\x85" * DEEP + b"Ns.",
    "nested marks": b"\x80\x02" + b"(" * DEEP + b"t" * DEEP + b".",
    "doubling": b"\x80\x02)" + b"2\x86" * 2_000 + b".",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "a dictionary in itself": b"\x80\x02}q\x00X\x01\0\0\0ah\x00s.",
    "a call of itself": b"\x80\x02cos\nsystem\nq\x00h\x00\x85R" + b".",
    "memo far away": b"\x80\x02Nr\xff\xff\xff\xffj\xff\xff\xff\xff.",
    "a string without end": b"\x80\x02\x8d" + struct.pack("<Q", 1 << 62) + b"abc.",
    "a line without end": b"\x80\x02c" + b"a" * 300_000,
    "a huge number": b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"1.",
    "a negative length": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"1.",
    "a frame beyond the end": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    "computed names": b"\x80\x04NN\x93)R.",
    "an empty stack": b"\x80\x020000.",
}
LARGE = [kind for kind in BOMBS if kind.startswith("nested")]


@pytest.mark.parametrize("kind", [kind for kind in BOMBS if kind not in LARGE])
def test_pickle_bombs_do_not_go_off(kind: str, tmp_path: Path) -> None:
    assert_only_refuses(write(tmp_path / "bomb.pkl", BOMBS[kind]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE)
def test_large_pickle_bombs_do_not_go_off(kind: str, tmp_path: Path) -> None:
    assert_only_refuses(write(tmp_path / "bomb.pkl", BOMBS[kind]))


@pytest.mark.parametrize("kind", ["doubling", "a string without end", "a huge number"])
def test_pickle_bombs_stay_small(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.pkl", BOMBS[kind])
    with little_memory():
        assert_only_refuses(path)


@pytest.mark.slow
def test_a_shape_of_a_billion_sizes_is_no_tensor(tmp_path: Path) -> None:
    call = samples.torch_tensor("0", (1 << 61,) * 60, count=1)
    samples.write_torch_zip(tmp_path / "a.pt", {"w": call}, {"0": b"abcd"})
    assert_only_refuses(tmp_path / "a.pt")
    shape = b"(" + b"K\x01" * 300_000 + b"t"
    assert_only_refuses(write(tmp_path / "a.pkl", b"\x80\x02" + shape + b"."))


def test_every_opcode_alone_is_survived(tmp_path: Path) -> None:
    for opcode in pickletools.opcodes:
        for operands in (b"", b"\0" * 16, b"a\nb\n", b"\xff" * 16):
            code = opcode.code.encode("latin-1") + operands
            assert_only_refuses(write(tmp_path / "a.pkl", b"\x80\x04" + code + b"N."))
            assert_only_refuses(write(tmp_path / "a.pkl", b"\x80\x04}](NNN" + code + b"."))


def test_a_pickle_that_expands_without_end_is_left_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbolic, "OPCODES_LIMIT", 10_000)
    monkeypatch.setattr(symbolic, "ALL_OPCODES_LIMIT", 50_000)
    bomb = zlib.compress(b"\x80\x02" + b"N0" * 5_000_000 + b"N.")
    path = write(tmp_path / "bomb.joblib", bomb)
    verdict = check(path, deep=True)
    assert verdict.wholeness is Wholeness.UNKNOWN
    assert "too long" in verdict.reason
    assert "too long" in describe(path).notes[0]


def test_a_zip_that_expands_beyond_its_word_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", samples.npy_header("<f4", (4,)) + bytes(100 << 20))
    data = path.read_bytes()
    true_size = struct.pack("<I", len(samples.npy_header("<f4", (4,))) + (100 << 20))
    assert data.count(true_size) == 2
    with little_memory():
        assert check(path, deep=True).wholeness is Wholeness.TORN
        path.write_bytes(data.replace(true_size, struct.pack("<I", 1000)))
        assert check(path, deep=True).wholeness is Wholeness.TORN


def test_a_zip_whose_members_lie_over_each_other_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "overlap.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", samples.npy_bytes((4,)))
        archive.writestr("b.npy", samples.npy_bytes((4,)))
        second = archive.getinfo("b.npy").header_offset
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02") + 42
    assert data[at : at + 4] == struct.pack("<I", second)
    path.write_bytes(data[:at] + struct.pack("<I", 0) + data[at + 4 :])
    assert "lies over" in check(path, deep=False).reason


def test_a_zip_directory_beyond_all_files_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "far.npz"
    samples.write_sparse_zip(path, {"a.npy": samples.npy_bytes((4,))}, "b.npy", 16)
    data = path.read_bytes()
    at = data.rindex(b"PK\x06\x07") + 8
    path.write_bytes(data[:at] + b"\xff" * 8 + data[at + 8 :])
    assert "beyond" in check(path, deep=False).reason
    assert_only_refuses(path)


HEADERS = {
    "code": "__import__('os').system('touch {canary}')",
    "code in a field": "{{'descr': open('{canary}', 'w'), 'shape': ()}}",
    "a giant dictionary": "{{" + "'a':1," * 9_000 + "}}",
    "deep brackets": "(" * 30_000,
    "deep signs": "-" * 60_000 + "1",
    "deep sums": "1+" * 30_000 + "1j",
    "a long number": "{{'descr':'<f4','shape':(" + "9" * 5_000 + ",)}}",
    "a billion sizes": "{{'descr':'<f4','shape':(" + "9," * 20_000 + ")}}",
    "a negative size": "{{'descr':'<f4','shape':(-4,)}}",
    "a size of a type": "{{'descr':'<f999999999','shape':(4,)}}",
    "fields within fields": "{{'descr':" + "[('a'," * 50 + "'f4'" + ")]" * 50 + ",'shape':()}}",
    "odd escapes": "{{'descr':'\\d','shape':()}}",
    "no dictionary": "[1, 2]",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_npy_headers_are_literals_and_nothing_else(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    text = HEADERS[kind].format(canary=canary).encode()
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text
    path = write(tmp_path / "a.npy", data)
    assert_only_refuses(path)
    assert is_torn(path)
    assert not canary.exists()


def test_an_npy_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    head = b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFF_FFF0)
    path = samples.extend_sparsely(tmp_path / "a.npy", head, 0xFFFF_FFF0)
    with little_memory():
        assert is_torn(path)


def entry(begin: int, end: int, shape: object = None) -> dict[str, object]:
    found = [(end - begin) // 4] if shape is None else shape
    return {"dtype": "F32", "shape": found, "data_offsets": [begin, end]}


SAFETENSORS = {
    "overlap": {"a": entry(0, 8), "b": entry(4, 12)},
    "a hole": {"a": entry(0, 4), "b": entry(8, 12)},
    "a negative offset": {"a": entry(-4, 12)},
    "beyond the end": {"a": entry(0, 1 << 60)},
    "a shape that does not fit": {"a": entry(0, 12, [1 << 62] * 60)},
    "a negative shape": {"a": entry(0, 12, [-3, -1])},
    "many sizes": {"a": entry(0, 12, [1] * 100_000)},
    "no entry": {"a": 3},
    "odd metadata": {"__metadata__": {"step": {"a": 1}}, "a": entry(0, 12)},
}


@pytest.mark.parametrize("kind", SAFETENSORS)
def test_safetensors_headers_that_lie_are_torn(kind: str, tmp_path: Path) -> None:
    text = json.dumps(SAFETENSORS[kind]).encode()
    path = write(tmp_path / "a.safetensors", struct.pack("<Q", len(text)) + text + bytes(12))
    assert is_torn(path)
    assert_only_refuses(path)


@pytest.mark.parametrize("length", [1 << 60, (1 << 64) - 1, 99_000_000])
def test_a_safetensors_header_of_any_length_is_bounded(length: int, tmp_path: Path) -> None:
    data = struct.pack("<Q", length) + b'{"a":1}'
    path = samples.extend_sparsely(tmp_path / "a.safetensors", data, 4096)
    with little_memory():
        assert is_torn(path)


def test_deep_json_is_torn_and_not_a_crash(tmp_path: Path) -> None:
    deep = write(tmp_path / "a.json", b"[" * 1_000_000 + b"]" * 1_000_000)
    assert is_torn(deep)
    header = b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"
    path = write(tmp_path / "a.safetensors", struct.pack("<Q", len(header)) + header)
    assert is_torn(path)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "..", "a/../../b", "a\0b", "..\\b", ""]
)
def test_shards_outside_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    samples.write_safetensors(tmp_path / "secret", {"w": ("float32", (4,))})
    path = samples.write_folder(tmp_path)
    index = {"weight_map": {"weight": name}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert is_torn(path)
    assert "not a file in the folder" in check(path, deep=True).reason
    with pytest.raises(IntegrityError):
        describe(path)


@pytest.mark.parametrize(
    "victim", ["model-00001-of-00002.safetensors", "config.json", "trainer_state.json"]
)
def test_links_that_lead_out_of_the_folder_are_refused(victim: str, tmp_path: Path) -> None:
    path = samples.write_folder(tmp_path)
    outside = tmp_path / "outside"
    (path / victim).rename(outside)
    (path / victim).symlink_to(outside)
    assert is_torn(path)
    assert "leads out of the folder" in check(path, deep=True).reason


def test_a_link_to_its_own_folder_is_not_followed_for_ever(tmp_path: Path) -> None:
    path = samples.write_folder(tmp_path)
    (path / "again").symlink_to(path)
    assert check(path, deep=True).wholeness is Wholeness.WHOLE


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = samples.write_folder(tmp_path)
    (path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors is missing" in check(path, deep=False).reason


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    assert inspect_format(tmp_path / "pipe.pt").name == "unknown"
    assert check(tmp_path / "pipe.pt", deep=True).wholeness is Wholeness.UNKNOWN


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\u202e"
    state = {evil: samples.numpy_array((4,)), "x": samples.Call(samples.Ref(evil, "f"))}
    found = describe(write(tmp_path / "a.pkl", samples.pickled(state)))
    assert all(text.isprintable() for text in (*found.notes, found.tensors[0].name))


def test_names_that_reach_through_a_module_are_flagged(tmp_path: Path) -> None:
    dotted = b"\x80\x04\x8c\x17torch.nn.modules.module\x8c\x09os.system\x93\x8c\x02id\x85R."
    notes = describe(write(tmp_path / "a.pkl", dotted)).notes
    assert any("torch.nn.modules.module.os.system" in note for note in notes)


def test_names_of_classes_may_be_any_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl", b"\x80\x03c__main__\nMod\xc3\xa8le\n)R.")
    assert check(path, deep=True).wholeness is Wholeness.WHOLE
    assert describe(path).notes == (
        "pickle imports __main__.Mod\u00e8le, which loading it would run",
    )


def test_bytes_lost_from_the_middle_of_a_zip_are_missed(tmp_path: Path) -> None:
    samples.write_npz(tmp_path / "a.npz")
    data = (tmp_path / "a.npz").read_bytes()
    path = write(tmp_path / "a.npz", data[:500] + data[508:])
    assert "not where the end of the file says" in check(path, deep=False).reason
