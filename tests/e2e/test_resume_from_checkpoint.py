"""A run goes on from the newest checkpoint that verifies, and says what it has passed over.

On this very machine, where the bytes of the ledger can be damaged by hand; from instance to
instance it is in ``test_spot_interruption.py`` and ``test_complete_training.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scene import Scene, final_weights, undisturbed_weights

ARGUMENTS = ("--epochs", "3", "--checkpoint-every", "15", "--hidden", "16")
SLOWLY = ("--step-delay", "0.03")
COUNT = 4
Damage = Callable[[Path], None]


def own_blob(scene: Scene, manifest: dict[str, Any], others: list[dict[str, Any]]) -> Path:
    """Return a blob of this checkpoint that no other has."""
    taken = {part["sha256"] for one in others for file in one["files"] for part in file["parts"]}
    own = {part["sha256"] for file in manifest["files"] for part in file["parts"]} - taken
    return scene.ledger / "blobs" / str(min(own))


def flip(blob: Path) -> None:
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    replace(blob, bytes(data))


def cut(blob: Path) -> None:
    replace(blob, blob.read_bytes()[:-7])


def take_away(blob: Path) -> None:
    blob.unlink()


def replace(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def stopped_run(scene: Scene) -> tuple[str, list[dict[str, Any]]]:
    """Train until some checkpoints are safe; return the run and their manifests."""
    scene.use_digits()
    run_id = scene.launch("train.py", "--", *ARGUMENTS, *SLOWLY)
    scene.wait_for_event(run_id, "checkpoint_committed", count=COUNT)
    scene.type("stop", run_id)
    assert scene.wait(run_id) == 24
    return run_id, scene.manifests(run_id)


def test_damaged_ones_are_passed_over_with_the_reason(scene: Scene) -> None:
    """Each of the newest in its own way; the weights are those of an undisturbed training."""
    run_id, manifests = stopped_run(scene)
    damages: list[Damage] = [flip, cut, take_away]
    for damage, manifest in zip(damages, manifests[::-1], strict=False):
        others = [one for one in manifests if one is not manifest]
        damage(own_blob(scene, manifest, others))
    done = scene.type("resume", run_id)
    assert done.returncode == 0, done.stderr.decode()
    [chosen] = scene.bodies(run_id, "resume_chosen", 2)
    good = manifests[-1 - len(damages)]
    assert chosen["checkpoint"] == f"1/{good['seq']}"
    assert len(chosen["passed_over"]) == len(damages)
    for label, why in chosen["passed_over"].items():
        assert label in done.stderr.decode()
        assert why in done.stderr.decode()
    assert final_weights(scene.output(run_id, 2)) == undisturbed_weights(*ARGUMENTS)


def test_where_none_verifies_the_run_does_not_begin_anew(scene: Scene) -> None:
    run_id, manifests = stopped_run(scene)
    for blob in {part["sha256"] for m in manifests for f in m["files"] for part in f["parts"]}:
        flip(scene.ledger / "blobs" / blob)
    done = scene.type("resume", run_id)
    assert done.returncode == 10, done.stderr.decode()
    assert f"runctl checkpoint verify {run_id} --deep".encode() in done.stderr
    assert scene.output(run_id, 2) == b"", "the script was started from nothing"


def test_one_that_is_named_is_taken_or_nothing_is(scene: Scene) -> None:
    run_id, manifests = stopped_run(scene)
    second, third = manifests[1:3]
    flip(own_blob(scene, third, [one for one in manifests if one is not third]))
    done = scene.type("resume", run_id, "--from", f"1/{third['seq']}")
    assert done.returncode == 10, done.stderr.decode()
    assert scene.output(run_id, 2) == b""
    done = scene.type("resume", run_id, "--from", f"1/{second['seq']}")
    assert done.returncode == 0, done.stderr.decode()
    [chosen] = scene.bodies(run_id, "resume_chosen", 3)
    assert (chosen["checkpoint"], chosen["step"]) == (
        f"1/{second['seq']}",
        second["summary"]["step"],
    )
    assert final_weights(scene.output(run_id, 3)) == undisturbed_weights(*ARGUMENTS)


def test_the_script_gets_the_bytes_that_were_committed(scene: Scene) -> None:
    """Not those that the last attempt has left in its folder, which may have changed since."""
    run_id, manifests = stopped_run(scene)
    [name] = scene.committed(manifests[-1])
    for path in scene.attempt(run_id).rglob(name):
        replace(path, b"another")
    assert scene.type("resume", run_id).returncode == 0
    [given] = (scene.attempt(run_id, 2) / "resume").rglob(name)
    wanted = hashlib.sha256(scene.committed(manifests[-1])[name]).hexdigest()
    assert hashlib.sha256(given.read_bytes()).hexdigest() == wanted
