"""The commit protocol, killed at every write: a checkpoint exists only once it is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import IntegrityError
from runctl.store import files as files_module
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints, fetch_newest
from runctl.store.ledger import Ledger
from runctl.store.outputs import fetch_outputs, read_outputs, store_outputs
from runctl.store.snapshot import read_snapshot, take_snapshot, unpack_snapshot
from tests.records import NOW, RUN_ID, SUMMARY, FakeClock, make_claim, make_spec
from tests.stores import (
    FaultyObjects,
    MemoryObjects,
    PowerLoss,
    network_lost_for,
    power_lost_at,
)

NAMES = st.sampled_from(["model.pt", "deep/optimizer.pt", "deep/er/rng", "trainer_state.json"])
FILES = st.dictionaries(NAMES, st.binary(max_size=20), min_size=1)
# More writes than any of these commits makes.
NTH = st.integers(1, 24)


@contextmanager
def written(files: dict[str, bytes]) -> Iterator[Path]:
    """A checkpoint folder as the script would leave it, stored in parts of four bytes."""
    with tempfile.TemporaryDirectory() as name, patch.object(files_module, "PART_BYTES", 4):
        root = Path(name) / "checkpoint-1"
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        yield root


def contents(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


class Machine:
    """One machine and one store; the machine may be switched off at any write."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.disk = MemoryObjects(self.clock)
        ledger = Ledger(self.disk)
        ledger.create_run(make_spec())
        ledger.claim(RUN_ID, make_claim())
        self.boot()

    def boot(self) -> None:
        self.disk.lose_power()
        self.clock.advance(30)
        self.objects = FaultyObjects(self.disk)
        self.ledger = Ledger(self.objects)
        self.checkpoints = Checkpoints(self.ledger, RUN_ID, self.clock)

    def commit(self, path: Path, seq: int = 1) -> None:
        self.checkpoints.commit(path, name=path.name, attempt=1, seq=seq, summary=SUMMARY)

    def check_consistent(self, files: dict[str, bytes]) -> int:
        """Every checkpoint that exists is whole; return how many do."""
        keys = self.checkpoints.keys()
        for key in keys:
            manifest = self.checkpoints.read(key)
            self.checkpoints.verify(manifest, deep=True)
            with tempfile.TemporaryDirectory() as to:
                assert contents(self.checkpoints.fetch(manifest, Path(to))) == files
        return len(keys)


@given(files=FILES, nth=NTH, is_answer_lost=st.booleans())
def test_power_lost_at_any_write(files: dict[str, bytes], nth: int, is_answer_lost: bool) -> None:
    machine = Machine()
    with written(files) as path:
        machine.objects.fault = power_lost_at(nth)
        machine.objects.is_answer_lost = is_answer_lost
        try:
            machine.commit(path)
            has_returned = True
        except PowerLoss:
            has_returned = False
        machine.boot()
        count = machine.check_consistent(files)
        assert count == 1 if has_returned else count <= 1
        machine.commit(path)
        machine.boot()
        assert machine.check_consistent(files) == 1


@given(files=FILES, nths=st.lists(NTH, max_size=6))
def test_power_lost_again_and_again(files: dict[str, bytes], nths: list[int]) -> None:
    machine = Machine()
    with written(files) as path:
        for nth in nths:
            machine.objects.fault = power_lost_at(nth)
            try:
                machine.commit(path)
            except PowerLoss:
                pass
            machine.boot()
            machine.check_consistent(files)
        machine.commit(path)
        assert machine.check_consistent(files) == 1


@given(files=FILES, first=NTH, length=st.integers(1, 8), is_answer_lost=st.booleans())
def test_a_lost_network_costs_only_time(
    files: dict[str, bytes], first: int, length: int, is_answer_lost: bool
) -> None:
    machine = Machine()
    machine.objects.fault = network_lost_for(range(first, first + length))
    machine.objects.is_answer_lost = is_answer_lost
    with written(files) as path:
        for _ in range(first + length):
            try:
                machine.commit(path)
                break
            except ConnectionError:
                machine.check_consistent(files)
                machine.clock.advance(1)
        assert machine.check_consistent(files) == 1


@given(files=FILES, others=FILES, nth=NTH)
def test_the_earlier_checkpoint_is_never_lost(
    files: dict[str, bytes], others: dict[str, bytes], nth: int
) -> None:
    machine = Machine()
    with written(files) as path:
        machine.commit(path)
    machine.objects.fault = power_lost_at(machine.objects.writes + nth)
    with written(others) as path:
        try:
            machine.commit(path, seq=2)
        except PowerLoss:
            pass
    machine.boot()
    with tempfile.TemporaryDirectory() as to:
        choice = fetch_newest(machine.checkpoints, Path(to))
        assert choice.path is not None
        assert choice.manifest is not None
        assert choice.passed_over == {}
        assert contents(choice.path) == (others if choice.manifest.seq == 2 else files)


def test_every_prefix_of_the_writes_of_one_commit() -> None:
    """Not by chance: each write in turn, until the commit needs no more of them."""
    files = {"model.pt": bytes(range(18)), "deep/optimizer.pt": b"o" * 9, "empty": b""}
    outcomes = []
    for nth in range(1, 40):
        machine = Machine()
        machine.objects.fault = power_lost_at(nth)
        with written(files) as path:
            try:
                machine.commit(path)
            except PowerLoss:
                pass
        machine.boot()
        outcomes.append(machine.check_consistent(files))
    writes = outcomes.count(0)
    assert writes >= 7, "the parts and the manifest"
    assert outcomes == [0] * writes + [1] * (39 - writes)


def _store_outputs(machine: Machine, path: Path) -> None:
    blobs = Blobs(machine.objects, machine.clock)
    store_outputs(machine.ledger, blobs, RUN_ID, 1, path)


def _check_outputs(machine: Machine, files: dict[str, bytes]) -> bool:
    outputs = read_outputs(machine.ledger, RUN_ID, 1)
    if outputs is None:
        return False
    with tempfile.TemporaryDirectory() as to:
        fetch_outputs(Blobs(machine.objects, machine.clock), outputs, Path(to))
        assert contents(Path(to)) == files
    return True


@given(files=FILES, nth=NTH, is_answer_lost=st.booleans())
def test_outputs_follow_the_same_protocol(
    files: dict[str, bytes], nth: int, is_answer_lost: bool
) -> None:
    machine = Machine()
    with written(files) as path:
        machine.objects.fault = power_lost_at(nth)
        machine.objects.is_answer_lost = is_answer_lost
        try:
            _store_outputs(machine, path)
        except PowerLoss:
            machine.boot()
            _check_outputs(machine, files)
        machine.boot()
        _store_outputs(machine, path)
        assert _check_outputs(machine, files)


@given(files=FILES, nth=NTH)
def test_a_snapshot_that_was_named_is_whole(files: dict[str, bytes], nth: int) -> None:
    machine = Machine()
    machine.objects.fault = power_lost_at(nth)
    blobs = Blobs(machine.objects, machine.clock)
    with written(files) as path, tempfile.TemporaryDirectory() as to:
        try:
            taken = take_snapshot(blobs, path, files)
        except PowerLoss:
            return
        machine.boot()
        blobs = Blobs(machine.objects, machine.clock)
        unpack_snapshot(blobs, read_snapshot(blobs, taken.record), Path(to))
        assert contents(Path(to)) == files


@pytest.mark.parametrize("is_durable", [True, False])
def test_the_proof_can_fail(is_durable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blobs that are not durable, this store shows the loss: the tests above can see it."""
    machine = Machine()
    put = machine.disk.put
    monkeypatch.setattr(
        machine.disk,
        "put",
        lambda key, data, create=False, durable=True: put(
            key, data, create=create, durable=durable and (is_durable or "blobs" not in key)
        ),
    )
    with written({"model.pt": b"weights"}) as path:
        machine.commit(path)
    machine.boot()
    check: Callable[[], int] = lambda: machine.check_consistent({"model.pt": b"weights"})  # noqa: E731
    if is_durable:
        assert check() == 1
    else:
        with pytest.raises(IntegrityError):
            check()
    assert machine.clock() > NOW
