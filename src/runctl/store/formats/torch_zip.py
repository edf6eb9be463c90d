"""What torch.save writes since 1.6: a zip of the object's pickle and a file per storage."""

from __future__ import annotations

from pathlib import Path

from runctl.errors import IntegrityError
from runctl.store.formats import archive
from runctl.store.formats.archive import Archive, Member
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.dtypes import decode_scalar
from runctl.store.formats.findings import Findings
from runctl.store.formats.imports import import_notes
from runctl.store.formats.inert import Storage, Tensor
from runctl.store.formats.symbolic import Machine

PICKLE = "data.pkl"
SHORT_BYTES = 32


class TorchZip:
    """Wholeness by the zip's directory; deep, also by every CRC and every storage's length."""

    name = "torch"
    suffixes = frozenset({".pt", ".pth"})

    def matches(self, path: Path, head: bytes) -> bool:
        if head.startswith(archive.MAGIC):
            return _is_object(archive.first_name(head)) or _has_object(path)
        return path.suffix.lower() in (".ckpt", ".bin") and len(head) < SHORT_BYTES

    def check(self, path: Path, *, deep: bool) -> Verdict:
        with path.open("rb") as handle:
            opened = Archive(handle)
            pickle = _find_pickle(opened)
            if not deep:
                return whole("the zip's directory and all members are in place")
            opened.check_contents()
            machine = Machine(opened.source(pickle))
            machine.run()
            _check_storages(opened, pickle, machine)
        if not opened.has_checksums:
            return whole("every storage is as long as its tensors; the file has no checksums")
        return whole("every member matches its CRC, and every storage is as long as its tensors")

    def describe(self, path: Path) -> Description:
        with path.open("rb") as handle:
            opened = Archive(handle)
            pickle = _find_pickle(opened)
            machine = Machine(opened.source(pickle))
            root = machine.run()
            findings = Findings(lambda tensor: _element(opened, pickle, tensor))
            findings.explore(root)
            findings.notes += machine_notes(machine)
        return findings.description(self.name, path.stat().st_size)


def machine_notes(machine: Machine) -> list[str]:
    """What there is to say about a pickle itself."""
    notes = import_notes(machine.globals.values())
    if machine.is_cut_short:
        notes.append("the pickle is too long to be followed: not all of it is described")
    return notes


def _is_object(name: str) -> bool:
    return name == PICKLE or name.endswith("/" + PICKLE)


def _has_object(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            return any(_is_object(name) for name in Archive(handle).members)
    except IntegrityError:
        return False


def _find_pickle(opened: Archive) -> Member:
    found = [member for name, member in opened.members.items() if _is_object(name)]
    if not found:
        raise IntegrityError(f"holds no {PICKLE}")
    return min(found, key=lambda member: len(member.name))


def _storage_member(opened: Archive, pickle: Member, storage: Storage) -> Member | None:
    return opened.members.get(f"{pickle.name.removesuffix(PICKLE)}data/{storage.key}")


def _check_storages(opened: Archive, pickle: Member, machine: Machine) -> None:
    for storage in machine.storages.values():
        member = _storage_member(opened, pickle, storage)
        if member is None:
            raise IntegrityError(f"storage {storage.key!r} is missing")
        if member.size_bytes < storage.size_bytes:
            raise IntegrityError(f"storage {storage.key!r} is shorter than its tensors need")


def _element(opened: Archive, pickle: Member, tensor: Tensor) -> int | float | None:
    """The one element of a tensor, out of its storage."""
    storage, size = tensor.storage, tensor.dtype.item_bytes
    member = _storage_member(opened, pickle, storage) if storage else None
    if member is None or size is None or tensor.offset < 0:
        return None
    source = opened.source(member)
    source.skip(tensor.offset * size)
    return decode_scalar(tensor.dtype.name, source.read(size))
