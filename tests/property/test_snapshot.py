"""Any small tree, under any names: out comes what went in."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.store.blobs import Blobs
from runctl.store.snapshot import packing, read_snapshot, take_snapshot, taking, unpack_snapshot
from tests.records import FakeClock
from tests.stores import MemoryObjects

ODD = st.sampled_from(["\n", "'", '"', "\\", " ", "é", "\udcff", "-", "x41", "a", "b"])
NAMES = st.lists(ODD, min_size=1, max_size=4).map("".join)
FILES = st.tuples(st.binary(max_size=40), st.sampled_from([0o644, 0o755, 0o600, 0o444]))
TREES = st.recursive(
    FILES, lambda inside: st.dictionaries(NAMES, inside, max_size=4), max_leaves=10
).filter(lambda tree: isinstance(tree, dict))

Shape = dict[str, "Shape"] | tuple[bytes, int]


def build(shape: Shape, at: Path) -> None:
    if isinstance(shape, tuple):
        at.write_bytes(shape[0])
        at.chmod(shape[1])
        return
    at.mkdir()
    for name, inside in shape.items():
        build(inside, at / name)


def selected(root: Path) -> list[str]:
    """What travels: files, links and folders that hold nothing."""
    found = []
    for folder, folders, names in os.walk(root):
        if not folders and not names and folder != str(root):
            found.append(os.path.relpath(folder, root))
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
        linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in linked]
    return found


def listing(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name, mode = os.path.relpath(path, root), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = os.readlink(path)
        elif stat.S_ISDIR(mode):
            found[name] = "folder"
        else:
            found[name] = (stat.S_IMODE(mode), path.read_bytes())
    return found


@settings(max_examples=60)
@given(
    shapes=st.lists(TREES, min_size=1, max_size=3), data=st.data(), pack_bytes=st.integers(1, 64)
)
def test_any_tree_comes_back_after_any_other(
    shapes: list[Shape], data: st.DataObject, pack_bytes: int
) -> None:
    """Each snapshot but the first goes by what is remembered of the one before."""
    clock = FakeClock()
    blobs, memory = Blobs(MemoryObjects(clock), clock), None
    with tempfile.TemporaryDirectory() as name, small_packs(pack_bytes):
        root, code = Path(name) / "project", Path(name) / "code"
        for shape in shapes:
            shutil.rmtree(root, ignore_errors=True)
            shutil.rmtree(code, ignore_errors=True)
            build(shape, root)
            add_links(root, data)
            taken = take_snapshot(blobs, root, selected(root), memory)
            memory = taken.memory
            unpack_snapshot(blobs, read_snapshot(blobs, taken.record), code)
            assert listing(code) == listing(root)


@contextmanager
def small_packs(pack_bytes: int) -> Iterator[None]:
    with (
        patch.object(packing, "PACK_BYTES", pack_bytes),
        patch.object(taking, "PACK_BYTES", pack_bytes),
    ):
        yield


def add_links(root: Path, data: st.DataObject) -> None:
    """Link to any entry from any folder, by the shortest relative way."""
    entries = sorted(root.rglob("*"))
    folders = [root, *(path for path in entries if path.is_dir())]
    if not entries:
        return
    for number in range(data.draw(st.integers(0, 3))):
        link = data.draw(st.sampled_from(folders)) / f"link-{number}"
        target = data.draw(st.sampled_from(entries))
        link.symlink_to(os.path.relpath(target, link.parent))
