"""Committed checkpoints and stored outputs, put into S3 once more as plain files.

They are read from the ledger, part by part and verified: what is there is what was committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from runctl.errors import IntegrityError, ObjectMissing, RunctlError
from runctl.model.checkpoint import CheckpointFile
from runctl.model.codec import unescape_name
from runctl.model.data import SCHEME
from runctl.model.paths import check_relative
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints
from runctl.store.files import file_name
from runctl.store.outputs import Outputs
from runctl.store.s3 import BucketAccess
from runctl.store.snapshot.reading import fetch
from runctl.store.transfer.bucket_bytes import BucketBytes
from runctl.store.transfer.far import PIECE_BYTES

INTERVAL_S = 2.0
PAUSES_S = (0.5, 2.0, 5.0)
POLL_S = 0.1


class Publisher:
    """Publishes what an attempt commits, below ``url``/``run_id``."""

    def __init__(
        self,
        url: str,
        access: BucketAccess,
        run_id: str,
        attempt: int,
        checkpoints: Checkpoints,
        blobs: Blobs,
    ) -> None:
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        self._url, self._bucket = url, BucketBytes(bucket, access)
        self._place = PurePosixPath(prefix, run_id)
        self._attempt, self._checkpoints, self._blobs = attempt, checkpoints, blobs
        self._done: set[str] = set()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, is_cut_off: Callable[[], bool], outputs: Outputs | None) -> str | None:
        """Publish what is left; return what could not be, as a sentence."""
        self._is_ending.set()
        while self._thread.is_alive() and not is_cut_off():
            self._thread.join(POLL_S)
        problem = None
        for pause_s in (0.0, *PAUSES_S):
            if is_cut_off():
                break
            time.sleep(pause_s)
            try:
                self._publish_checkpoints()
                self._publish_files("outputs", outputs.files if outputs else ())
            except RunctlError as error:
                problem = error.message
            else:
                return None
        return f"not all of it could be put to {self._url}: {problem or 'the time was up'}"

    def _run(self) -> None:
        while not self._is_ending.wait(INTERVAL_S):
            try:
                self._publish_checkpoints()
            except RunctlError:
                continue  # told at the end, if it lasts until then

    def _publish_checkpoints(self) -> None:
        for key in self._checkpoints.attempt_keys(self._attempt):
            if key not in self._done:
                self._publish_checkpoint(key)
                self._done.add(key)

    def _publish_checkpoint(self, key: str) -> None:
        try:
            manifest = self._checkpoints.read(key)
            name = check_relative(unescape_name(manifest.name))
            folder = f"checkpoints/{name}" if manifest.is_folder else "checkpoints"
            self._publish_files(folder, manifest.files)
        except (ObjectMissing, IntegrityError):
            if key in self._checkpoints.attempt_keys(self._attempt):
                raise
            # Cleaned up by now, for there are newer ones.

    def _publish_files(self, folder: str, files: Sequence[CheckpointFile]) -> None:
        for file in files:
            key = str(self._place / folder / file_name(file))
            if file.size_bytes <= PIECE_BYTES:
                self._bucket.put(key, b"".join(self._pieces(file)))
            else:
                self._bucket.put_pieces(key, self._pieces(file))

    def _pieces(self, file: CheckpointFile) -> Iterator[bytes]:
        # Fetched by other threads: obstore cannot get while it asks for what it puts.
        return (data.result() for _, data in fetch(self._blobs, file.parts))
