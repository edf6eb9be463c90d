"""Every checkpoint format keeps the contract of ``runctl.testing.formats``."""

from __future__ import annotations

import json
import math
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import joblib
import numpy as np
import pytest

from runctl.store.formats import FORMATS, Wholeness, check, describe, inspect_format
from runctl.testing import format_samples as samples
from runctl.testing.format_samples import EPOCH, LOSS, PARAMETERS, STEP, WEIGHTS
from runctl.testing.formats import (
    ChecksumContract,
    FormatContract,
    LargeContract,
    PickleContract,
    Sample,
    Shaped,
)

LARGE_PARAMETERS = (1 << 31) + 8
LARGE_BYTES = 4 * LARGE_PARAMETERS
NESTED = {f"model.{name}": shaped for name, shaped in WEIGHTS.items()}
PAYLOAD = samples.raw_bytes((64, 8))[64:128]


def known(path: Path, name: str, tensors: dict[str, Shaped]) -> Sample:
    return Sample(
        path=path,
        format=name,
        step=STEP,
        epoch=EPOCH,
        loss=LOSS,
        tensors=tensors,
        parameter_count=PARAMETERS,
    )


def offset_of_payload(sample: Sample) -> int:
    return sample.files[0].read_bytes().index(PAYLOAD)


class TestTorchZip(ChecksumContract, PickleContract, LargeContract):
    suffix: ClassVar[str] = ".pt"

    def make_sample(self, folder: Path) -> Sample:
        path = folder / f"last{self.suffix}"
        samples.write_torch_zip(path, samples.torch_state(), samples.torch_storages())
        return known(path, "torch", NESTED)

    def payload_offset(self, sample: Sample) -> int:
        return offset_of_payload(sample)

    def make_hostile(self, folder: Path, command: str) -> Path:
        path = folder / f"hostile{self.suffix}"
        samples.write_torch_zip(path, {"model": samples.hostile(command)}, {})
        return path

    def make_large(self, folder: Path) -> Path:
        path = folder / f"large{self.suffix}"
        state = samples.pickled(samples.large_state(LARGE_PARAMETERS))
        samples.write_sparse_zip(path, {"large/data.pkl": state}, "large/data/0", LARGE_BYTES)
        return path


class TestTorchZipCalledCkpt(TestTorchZip):
    suffix = ".ckpt"


class TestTorchZipCalledBin(TestTorchZip):
    suffix = ".bin"


class TestTorchLegacy(PickleContract, LargeContract):
    def make_sample(self, folder: Path) -> Sample:
        path = folder / "last.pth"
        samples.write_torch_legacy(
            path, samples.torch_state(is_legacy=True), samples.torch_storages()
        )
        return known(path, "torch-legacy", NESTED)

    def make_hostile(self, folder: Path, command: str) -> Path:
        path = folder / "hostile.pth"
        samples.write_torch_legacy(path, [samples.hostile(command)], {})
        return path

    def make_large(self, folder: Path) -> Path:
        path = folder / "large.pth"
        state = samples.large_state(LARGE_PARAMETERS, is_legacy=True)
        samples.write_torch_legacy(path, state, {"0": b""})
        head = path.read_bytes()[:-8] + struct.pack("<q", LARGE_PARAMETERS)
        return samples.extend_sparsely(path, head, LARGE_BYTES)


class TestTorchTar(PickleContract):
    def make_sample(self, folder: Path) -> Sample:
        path = folder / "old.pth"
        samples.write_torch_tar(path, {"step": STEP, "epoch": EPOCH, "loss": LOSS})
        return Sample(path=path, format="torch-tar", step=STEP, epoch=EPOCH, loss=LOSS)

    def make_hostile(self, folder: Path, command: str) -> Path:
        samples.write_torch_tar(folder / "hostile.pth", samples.hostile(command))
        return folder / "hostile.pth"


class TestSafetensors(LargeContract):
    def make_sample(self, folder: Path) -> Sample:
        path = folder / "model.safetensors"
        samples.write_safetensors(path, WEIGHTS, step=STEP, epoch=EPOCH, loss=LOSS)
        return known(path, "safetensors", WEIGHTS)

    def make_large(self, folder: Path) -> Path:
        shaped = {"w": ("float32", (LARGE_PARAMETERS,))}
        head = samples.safetensors_header(shaped, {})
        return samples.extend_sparsely(folder / "large.safetensors", head, LARGE_BYTES)


class TestNumpyArray(PickleContract, LargeContract):
    def make_sample(self, folder: Path) -> Sample:
        path = folder / "weight.npy"
        path.write_bytes(samples.npy_bytes((64, 8)))
        tensors = {"weight": ("float32", (64, 8))}
        return Sample(path=path, format="npy", tensors=tensors, parameter_count=512)

    def make_hostile(self, folder: Path, command: str) -> Path:
        path = folder / "hostile.npy"
        path.write_bytes(samples.npy_header("|O", (1,)) + samples.pickled(samples.hostile(command)))
        return path

    def make_large(self, folder: Path) -> Path:
        head = samples.npy_header("<f4", (LARGE_PARAMETERS,))
        return samples.extend_sparsely(folder / "large.npy", head, LARGE_BYTES)


class TestNumpyArchive(ChecksumContract, LargeContract):
    def make_sample(self, folder: Path) -> Sample:
        samples.write_npz(folder / "last.npz")
        return known(folder / "last.npz", "npz", WEIGHTS)

    def payload_offset(self, sample: Sample) -> int:
        return offset_of_payload(sample)

    def make_large(self, folder: Path) -> Path:
        path = folder / "large.npz"
        header = samples.npy_header("<f4", (LARGE_PARAMETERS,))
        samples.write_sparse_zip(path, {}, "w.npy", len(header) + LARGE_BYTES)
        with path.open("r+b") as file:
            file.seek(len("w.npy") + 30 + 20)
            file.write(header)
        return path


class TestNumpyArchiveCompressed(ChecksumContract):
    def make_sample(self, folder: Path) -> Sample:
        samples.write_npz(folder / "last.npz", is_compressed=True)
        return known(folder / "last.npz", "npz", WEIGHTS)

    def payload_offset(self, sample: Sample) -> int:
        return 200


class TestNumpyArchiveOfNumpy(TestNumpyArchive):
    def make_sample(self, folder: Path) -> Sample:
        path = folder / "genuine.npz"
        arrays = {name: np.frombuffer(samples.raw_bytes(shape), "<f4").reshape(shape)
                  for name, (_, shape) in WEIGHTS.items()}  # fmt: skip
        np.savez(path, **arrays, step=np.array(STEP), epoch=np.array(EPOCH), loss=np.array(LOSS))  # type: ignore[arg-type]
        return known(path, "npz", WEIGHTS)


class TestPickle(PickleContract, LargeContract):
    def make_sample(self, folder: Path) -> Sample:
        (folder / "last.pkl").write_bytes(samples.pickled(samples.pickle_state()))
        return known(folder / "last.pkl", "pickle", WEIGHTS)

    def make_hostile(self, folder: Path, command: str) -> Path:
        (folder / "hostile.pkl").write_bytes(samples.pickled(samples.hostile(command)))
        return folder / "hostile.pkl"

    def make_large(self, folder: Path) -> Path:
        samples.write_sparse_pickle(folder / "large.pkl", LARGE_PARAMETERS)
        return folder / "large.pkl"


def numpy_state() -> dict[str, object]:
    weights = {
        name: np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
        for name, (_, shape) in WEIGHTS.items()
    }
    return {"step": np.int64(STEP), "epoch": EPOCH, "loss": np.float32(LOSS), **weights}


class GenuinePickle(FormatContract):
    protocol: ClassVar[int]

    def make_sample(self, folder: Path) -> Sample:
        path = folder / "last.pickle"
        path.write_bytes(pickle.dumps(numpy_state(), protocol=self.protocol))
        return known(path, "pickle", WEIGHTS)


class TestPickleProtocol0(GenuinePickle):
    protocol = 0


class TestPickleProtocol2(GenuinePickle):
    protocol = 2


class TestPickleProtocol4(GenuinePickle):
    protocol = 4


class TestPickleProtocol5(GenuinePickle):
    protocol = 5


class TestJoblib(FormatContract):
    compress: ClassVar[tuple[str, int] | int] = 0

    def make_sample(self, folder: Path) -> Sample:
        path = folder / "last.joblib"
        joblib.dump(numpy_state(), path, compress=self.compress)
        return known(path, "joblib", WEIGHTS)

    def test_objects_within_arrays_do_not_derail_it(self, tmp_path: Path) -> None:
        mixed = np.array([{"a": 1}, None], dtype=object)
        records = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8", (2,))])
        state = {"mixed": mixed, "records": records, **numpy_state()}
        joblib.dump(state, tmp_path / "m.joblib", compress=self.compress)
        assert check(tmp_path / "m.joblib", deep=True).wholeness is Wholeness.WHOLE
        assert describe(tmp_path / "m.joblib").tensor_count == 4


class CompressedJoblib(TestJoblib, ChecksumContract):
    def payload_offset(self, sample: Sample) -> int:
        return sample.path.stat().st_size // 2


class TestJoblibZlib(CompressedJoblib):
    compress = ("zlib", 3)


class TestJoblibGzip(CompressedJoblib):
    compress = ("gzip", 3)


class TestJoblibBzip2(CompressedJoblib):
    compress = ("bz2", 3)


class TestJoblibXz(CompressedJoblib):
    compress = ("xz", 3)


class TestJoblibLzma(TestJoblib):  # this old container has no checksum
    compress = ("lzma", 3)


class TestJson(FormatContract):
    def make_sample(self, folder: Path) -> Sample:
        state = {
            "state": {"step": STEP},
            "epoch": EPOCH,
            "metrics": {"loss": LOSS},
            "w": [1.5] * 50,
        }
        (folder / "state.json").write_text(json.dumps(state))
        return Sample(path=folder / "state.json", format="json", step=STEP, epoch=EPOCH, loss=LOSS)


class TestLargeJson(FormatContract):
    """Beyond what is parsed, brackets are balanced; such a document is not described."""

    def make_sample(self, folder: Path) -> Sample:
        tricky = [']}\\"' * 8, [0.5] * 8]
        text = json.dumps({"tricky": [tricky] * 100, "w": [0.5] * 900_000})
        (folder / "state.json").write_text(text)
        return Sample(path=folder / "state.json", format="json")


class TestHuggingFace(PickleContract):
    def make_sample(self, folder: Path) -> Sample:
        path = samples.write_folder(folder)
        sample = known(path, "huggingface", WEIGHTS)
        parts = [*path.glob("*.safetensors"), path / "optimizer.pt", path / "trainer_state.json"]
        return Sample(
            path=path,
            format=sample.format,
            step=STEP,
            epoch=EPOCH,
            loss=LOSS,
            tensors=WEIGHTS,
            parameter_count=PARAMETERS,
            parts=(*parts, path / "model.safetensors.index.json"),
        )

    def make_hostile(self, folder: Path, command: str) -> Path:
        path = folder / "model"
        path.mkdir()
        samples.write_torch_zip(path / "pytorch_model.bin", [samples.hostile(command)], {})
        return path


GENUINE = Path(__file__).parent.parent / "fixtures" / "formats"
EXPECTED = json.loads((GENUINE / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_the_real_libraries_wrote_is_read(name: str) -> None:
    path, expected = GENUINE / name, EXPECTED[name]
    for deep in (False, True):
        assert check(path, deep=deep).wholeness is Wholeness.WHOLE
    found = describe(path)
    shapes = {each.name: [each.dtype, list(each.shape)] for each in found.tensors}
    assert shapes == expected["tensors"]
    assert {key: getattr(found, key) for key in expected if key != "tensors"} == {
        key: value for key, value in expected.items() if key != "tensors"
    }


def test_every_format_is_under_contract(tmp_path: Path) -> None:
    made = [value for value in globals().values() if isinstance(value, type)]
    contracts = [each for each in made if each.__name__.startswith("Test")]
    tested = set()
    for number, contract in enumerate(contracts):
        folder = tmp_path / str(number)
        folder.mkdir()
        tested.add(inspect_format(contract().make_sample(folder).path).name)
    assert tested >= {each.name for each in FORMATS} - {"zip"}
