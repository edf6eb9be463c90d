"""The contract that every checkpoint format keeps; subclass it with a sample maker.

::

    class TestTorchZip(PickleContract, ChecksumContract, LargeContract):
        def make_sample(self, folder): ...

FormatContract holds for all. The other classes hold where a format can do more, and are
declared by inheriting from them: ChecksumContract (a flipped byte is found), PickleContract
(the file could carry code) and LargeContract (files of many gigabytes).
"""

from __future__ import annotations

import shutil
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from runctl.errors import CheckpointNotFound, IntegrityError
from runctl.store.formats import Wholeness, check, describe, is_whole, metric_of

MEMORY_LIMIT_BYTES = 64 << 20
CUTS = 24

Shaped = tuple[str, tuple[int, ...]]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that was written whole, and what is known to be in it.

    ``parts`` are the files to damage (the checkpoint itself where it is one file).
    ``tensors`` maps some or all names to dtype and shape.
    """

    path: Path
    format: str
    step: int | None = None
    epoch: float | int | None = None
    loss: float | None = None
    tensors: Mapping[str, Shaped] = {}
    parameter_count: int = 0
    parts: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return self.parts or (self.path,)


@contextmanager
def damaged(file: Path, data: bytes) -> Iterator[None]:
    """The file with other content, for a while."""
    kept = file.with_name("kept-" + file.name + ".aside")
    shutil.copyfile(file, kept)
    try:
        file.write_bytes(data)
        yield
    finally:
        kept.replace(file)


def cut_points(size_bytes: int) -> list[int]:
    """Where to cut a file of this size: the ends, the middle, and a spread between."""
    spread = (size_bytes * index // CUTS for index in range(CUTS))
    return sorted({0, 1, size_bytes // 2, size_bytes - 8, size_bytes - 1, *spread} - {size_bytes})


def assert_only_refuses(path: Path) -> None:
    """Whatever the bytes: verdicts are given, and a description is given or refused."""
    for deep in (False, True):
        assert isinstance(check(path, deep=deep).wholeness, Wholeness)
    refusal = _refusal(path)
    assert refusal is None or str(path) in refusal


def _refusal(path: Path) -> str | None:
    try:
        describe(path)
    except IntegrityError as error:
        return error.message
    return None


class FormatContract(ABC):
    """What holds for every format that can tell a whole file from a torn one."""

    @abstractmethod
    def make_sample(self, folder: Path) -> Sample:
        """Write a whole checkpoint into an empty folder."""

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        return self.make_sample(tmp_path)

    def test_a_whole_sample_is_whole(self, sample: Sample) -> None:
        shallow, deep = check(sample.path, deep=False), check(sample.path, deep=True)
        assert (shallow.wholeness, deep.wholeness) == (Wholeness.WHOLE, Wholeness.WHOLE)
        assert shallow.reason
        assert deep.reason

    def test_every_truncation_is_torn(self, sample: Sample) -> None:
        for file in sample.files:
            data = file.read_bytes()
            for at in cut_points(len(data)):
                with damaged(file, data[:at]):
                    assert is_whole(sample.path) is Wholeness.TORN, (file.name, at)
                    assert check(sample.path, deep=True).wholeness is Wholeness.TORN, at

    def test_what_is_torn_is_not_described(self, sample: Sample) -> None:
        file = sample.files[0]
        data = file.read_bytes()
        half = data[: len(data) // 2]
        with damaged(file, half), pytest.raises(IntegrityError) as caught:
            describe(sample.path)
        assert str(sample.path) in caught.value.message

    def test_progress_is_described(self, sample: Sample) -> None:
        found = describe(sample.path)
        assert found.format == sample.format
        assert (found.step, found.epoch, found.loss) == (sample.step, sample.epoch, sample.loss)
        assert metric_of(found, "loss") == sample.loss

    def test_tensors_are_described(self, sample: Sample) -> None:
        found = describe(sample.path)
        shapes = {tensor.name: (tensor.dtype, tensor.shape) for tensor in found.tensors}
        assert {name: shapes.get(name) for name in sample.tensors} == dict(sample.tensors)
        assert found.tensor_count == len(shapes) >= len(sample.tensors)
        assert sum(found.dtypes.values()) == found.tensor_count
        assert found.parameter_count == sample.parameter_count

    def test_the_size_is_that_of_its_files(self, sample: Sample) -> None:
        files = [each for each in sample.path.rglob("*") if each.is_file()] or [sample.path]
        assert describe(sample.path).size_bytes == sum(each.stat().st_size for each in files)

    def test_nothing_is_changed_by_looking(self, sample: Sample) -> None:
        before = {file: file.read_bytes() for file in sample.files}
        check(sample.path, deep=True)
        describe(sample.path)
        assert {file: file.read_bytes() for file in sample.files} == before

    def test_a_missing_checkpoint_is_not_found(self, sample: Sample) -> None:
        with pytest.raises(CheckpointNotFound):
            check(sample.path.with_name("absent" + sample.path.suffix), deep=False)

    def test_odd_bytes_in_it_are_only_refused(self, sample: Sample) -> None:
        file = sample.files[0]
        data = file.read_bytes()
        for at in cut_points(len(data)):
            with damaged(file, data[:at] + b"\xff\x00\x93(" * 4 + data[at + 16 :]):
                assert_only_refuses(sample.path)


class ChecksumContract(FormatContract):
    """For formats with checksums: one flipped bit in the payload is found by a deep check."""

    @abstractmethod
    def payload_offset(self, sample: Sample) -> int:
        """Where, in the first of the sample's files, a tensor's bytes lie."""

    def test_a_flipped_bit_is_found(self, sample: Sample) -> None:
        file = sample.files[0]
        data = bytearray(file.read_bytes())
        data[self.payload_offset(sample)] ^= 0x10
        with damaged(file, bytes(data)):
            assert check(sample.path, deep=True).wholeness is Wholeness.TORN
        assert check(sample.path, deep=True).wholeness is Wholeness.WHOLE


class PickleContract(FormatContract):
    """For formats that could carry code: it is described, and never run."""

    @abstractmethod
    def make_hostile(self, folder: Path, command: str) -> Path:
        """Write a checkpoint that runs ``command`` (``posix.system``) when it is loaded."""

    def test_hostile_content_is_described_and_not_run(self, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        path = self.make_hostile(tmp_path, f"touch {canary}")
        check(path, deep=True)
        found = describe(path)
        assert "pickle imports posix.system: do not load it" in found.notes
        assert not canary.exists()


class LargeContract(FormatContract):
    """For formats whose files may be larger than memory."""

    @abstractmethod
    def make_large(self, folder: Path) -> Path:
        """Write a sparse checkpoint of 8 GiB or more."""

    def test_a_large_file_needs_little_memory(self, tmp_path: Path) -> None:
        path = self.make_large(tmp_path)
        assert path.stat().st_size >= 8 << 30
        tracemalloc.start()
        try:
            assert is_whole(path) is Wholeness.WHOLE
            assert describe(path).parameter_count >= 1 << 31
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak <= MEMORY_LIMIT_BYTES
