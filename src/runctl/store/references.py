"""Which blobs are named by a record: what the sweep must leave alone.

A record that cannot be read stops the sweep: what it names is not known.
"""

from __future__ import annotations

from runctl.model.checkpoint import CheckpointFile, SealedManifest
from runctl.model.paths import RunPaths
from runctl.store.blobs import Blobs
from runctl.store.ledger import Ledger
from runctl.store.outputs import Outputs
from runctl.store.snapshot import read_snapshot


def referenced_blobs(ledger: Ledger) -> set[str]:
    """Return the digests that any record of any run names."""
    found: set[str] = set()
    for run_id in filter(ledger.has_spec, ledger.run_ids()):
        found |= _of_code(ledger, run_id)
        for info in ledger.objects.list(RunPaths(run_id).checkpoints):
            found |= _of_files(ledger.read(info.key, SealedManifest).manifest.files)
        for info in ledger.objects.list(f"{RunPaths(run_id).root}outputs/"):
            found |= _of_files(ledger.read(info.key, Outputs).files)
    return found


def _of_code(ledger: Ledger, run_id: str) -> set[str]:
    code = ledger.spec(run_id).code
    blobs = Blobs(ledger.objects, lambda: ledger.spec(run_id).created_at)
    snapshot = read_snapshot(blobs, code.record)
    parts = (code.record, *snapshot.nodes, *snapshot.packs)
    return {part.sha256 for part in parts}


def _of_files(files: tuple[CheckpointFile, ...]) -> set[str]:
    return {part.sha256 for file in files for part in file.parts}
