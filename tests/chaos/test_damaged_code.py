"""Code that rots in the store: nothing is started from it, and the next launch mends it."""

from __future__ import annotations

import os

from tests.scene import Scene

ZSTD = b"\x28\xb5\x2f\xfd"


def _damage_packs(scene: Scene) -> int:
    """Flip the last byte of each pack; return how many there were."""
    packs = [p for p in (scene.ledger / "blobs").iterdir() if p.read_bytes().startswith(ZSTD)]
    for path in packs:
        data = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return len(packs)


def test_nothing_starts_from_a_damaged_pack_and_the_next_launch_sends_it_anew(
    scene: Scene,
) -> None:
    scene.write("train.py", "import helper\n")
    scene.write("helper.py", "print('helped')\n")
    assert scene.type("train", "train.py").returncode == 0
    assert _damage_packs(scene) == 2  # the files' bytes, and the nodes
    done = scene.type("train", "train.py")
    assert done.returncode == 10, done.stderr.decode()
    assert b"helped" not in done.stdout
    assert scene.type("train", "train.py").returncode == 0


def test_a_file_whose_bytes_are_gone_is_named(scene: Scene) -> None:
    scene.write("train.py", "print('trained')\n")
    assert scene.type("train", "train.py").returncode == 0
    before = set((scene.ledger / "blobs").iterdir())
    scene.write("helper.py", "print('helped')\n")
    assert scene.type("train", "train.py").returncode == 0
    added = set((scene.ledger / "blobs").iterdir()) - before
    [pack] = [p for p in added if p.read_bytes().startswith(ZSTD) and p.stat().st_size < 100]
    os.unlink(pack)
    done = scene.type("train", "train.py")
    assert done.returncode == 10, done.stderr.decode()
    assert b"helper.py of 2 files did not arrive" in done.stderr
    assert b"trained" not in done.stdout
